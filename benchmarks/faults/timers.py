"""Seconds spent in chosen functions of the program, each second counted once."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.faults.seams import Function, wrap


class Timers:
    """Exclusive times by name: what a timed function spends inside another timed function counts for that one.

    Args:
        clock: seconds from any start, never backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._calls: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._open = threading.local()

    @property
    def seconds(self) -> Mapping[str, float]:
        """Name -> seconds, summed over functions and threads."""
        return dict(self._seconds)

    @property
    def calls(self) -> Mapping[str, int]:
        """Target -> how often it was called."""
        return dict(self._calls)

    def time(self, name: str, target: str) -> None:
        """Add what `target` (`module:attribute`) takes to the time of `name`, from now on.

        Raises:
            LookupError: there is no such function.
        """

        def around(function: Function) -> Function:
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return self._timed(name, target, function, *args, **kwargs)

            return wrapper

        wrap(target, around)

    def _timed(self, name: str, target: str, function: Function, *args: Any, **kwargs: Any) -> Any:
        inner: list[float] = self._open.__dict__.setdefault("stack", [])
        inner.append(0.0)
        began = self._clock()
        try:
            return function(*args, **kwargs)
        finally:
            took = self._clock() - began
            own = took - inner.pop()
            if inner:
                inner[-1] += took
            with self._lock:
                self._seconds[name] += own
                self._calls[target] += 1
