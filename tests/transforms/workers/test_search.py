"""The search for the best way to run an encoder: where it ends, what it measures, and when it stops."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from models.errors import MemoryExceeded
from transforms.workers.layout import Layout
from transforms.workers.search import Found, best, climb

WIDE, DEEP = Layout(2, 1), Layout(1, 2)


def for_ever() -> float:
    """There is always time."""
    return 1e9


class Noted:
    """A meter that notes what it was asked."""

    def __init__(self, rates: Mapping[tuple[Layout, float], float]) -> None:
        self.rates = rates
        self.asked: list[tuple[Layout, float]] = []

    def rate(self, layout: Layout, size: float) -> float:
        self.asked.append((layout, size))
        found = self.rates[layout, size]
        if found < 0:
            raise MemoryExceeded("too large")
        return found


def test_the_climb_ends_at_the_top() -> None:
    """From 1 at place 0 up to 4 at place 2, though it began at 0; and down from place 3."""
    heights = [lambda h=h: h for h in (1.0, 2.0, 4.0, 3.0)]
    assert [climb(heights, start) for start in range(4)] == [2, 2, 2, 2]


def test_a_step_must_be_worth_it() -> None:
    """2 % more is what figures differ by anyhow."""
    heights = [lambda h=h: h for h in (100.0, 102.0)]
    assert (climb(heights, 0), climb(heights, 1)) == (0, 1)


def test_each_figure_is_measured_once() -> None:
    """1,024 first, its neighbours, then the other layout from the winner on."""
    rates: dict[tuple[Layout, float], float] = {
        (layout, size): 10.0 for layout in (WIDE, DEEP) for size in (512, 1024, 2048)
    }
    meter = Noted(rates)

    best(meter, [WIDE, DEEP], [512, 1024, 2048], for_ever)

    assert len(meter.asked) == len(set(meter.asked)) == 6
    assert meter.asked[0] == (WIDE, 1024)


@pytest.mark.parametrize(("deep", "winner"), [(54.0, WIDE), (56.0, DEEP)])
def test_threads_must_win_by_a_tenth(deep: float, winner: Layout) -> None:
    """Against 50 rows/s of two workers, two threads need more than 55: they suffer more from a busy core."""
    found = best(Noted({(WIDE, 8): 50.0, (DEEP, 8): deep}), [WIDE, DEEP], [8], for_ever)
    assert found.layout == winner


def test_without_time_the_first_figure_decides() -> None:
    """One figure took 4 s, and 6 s are left: too little for one that may take twice as long."""
    left = iter([10.0, 6.0, *[6.0] * 20])
    found = best(Noted({(WIDE, 8): 50.0, (WIDE, 16): 90.0}), [WIDE, DEEP], [8, 16], lambda: next(left))
    assert found == Found(WIDE, 8, 50.0)


def test_what_does_not_fit_loses() -> None:
    """A batch without room counts as no rows at all; when that is all there is, it is said."""
    assert best(Noted({(WIDE, 8): 50.0, (WIDE, 16): -1}), [WIDE], [8, 16], for_ever).size == 8
    with pytest.raises(MemoryExceeded, match="got none that does, the smallest 8"):
        best(Noted({(WIDE, 8): -1}), [WIDE], [8], for_ever)
