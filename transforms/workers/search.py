"""Searches the best way to run an encoder among layouts and sizes of batches, with as few measurements as will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol

from models.errors import MemoryExceeded
from transforms.workers.layout import THREADS_MUST_WIN, Layout

BATCH_MUST_WIN: Final = 1.03  # a larger step must be worth it; figures of the same plan differ by that much


class Meter(Protocol):
    """Measures one layout with one size of batch."""

    def rate(self, layout: Layout, size: float) -> float:
        """Rows/s of all replicas together."""
        ...


class Found(NamedTuple):
    """The best of what was measured."""

    layout: Layout
    size: float
    rate: float


def best(meter: Meter, possible: Sequence[Layout], sizes: Sequence[float], left: Callable[[], float]) -> Found:
    """The layout and size with the most rows/s, of those for which there is time.

    Args:
        meter: what measures.
        possible: layouts, fewest threads first.
        sizes: bounds of a batch, ascending; at least one.
        left: seconds that are left.

    Raises:
        MemoryExceeded: nothing that was tried fits.
    """
    tries = _Tries(meter, left)
    found = []
    at = (len(sizes) - 1) // 2
    for layout in possible:
        at = climb([partial(tries.rate, layout, size) for size in sizes], at)
        found.append(Found(layout, sizes[at], tries.rate(layout, sizes[at])))
    fewest = possible[0].threads
    top = max(found, key=lambda f: f.rate / (THREADS_MUST_WIN if f.layout.threads > fewest else 1.0))
    if not top.rate:
        raise MemoryExceeded(
            f"a batch must fit into the worker's memory; got none that does, the smallest {sizes[0]:g}"
        )
    return top


def climb(heights: Sequence[Callable[[], float]], start: int) -> int:
    """Where the climb ends that goes up from `start` while the next step is higher by more than BATCH_MUST_WIN.

    Smaller first: a smaller batch needs less memory.
    """
    top = heights[start]()
    for step in (-1, 1):
        at = start
        while 0 <= at + step < len(heights) and (higher := heights[at + step]()) > top * BATCH_MUST_WIN:
            at, top = at + step, higher
        if at != start:
            return at
    return start


class _Tries:
    """Each figure is measured once, and only while there is time for another one like the last."""

    def __init__(self, meter: Meter, left: Callable[[], float]) -> None:
        self._meter, self._left = meter, left
        self._rates: dict[tuple[Layout, float], float] = {}
        self._longest = 0.0

    def rate(self, layout: Layout, size: float) -> float:
        """Rows/s; 0 for what does not fit, or for which there is no time any more."""
        if (layout, size) not in self._rates:
            self._rates[layout, size] = self._measure(layout, size)
        return self._rates[layout, size]

    def _measure(self, layout: Layout, size: float) -> float:
        before = self._left()
        if self._rates and before < 2 * self._longest:
            return 0.0
        try:
            return self._meter.rate(layout, size)
        except MemoryExceeded:
            return 0.0
        finally:
            self._longest = max(self._longest, before - self._left())
