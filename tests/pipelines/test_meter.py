"""Tests of pace: rate, time left and curve from readings with made-up times."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pipelines.meter import CURVE_POINTS, Meter, rows_per_second


def metered(total: int, *readings: tuple[float, int]) -> Meter:
    """A meter that took these readings."""
    meter = Meter(total)
    for seconds, rows in readings:
        meter.observe(seconds, rows)
    return meter


def test_resumed_rows_are_not_in_the_rate() -> None:
    """What was done at the first reading took this run no time."""
    # (900 - 800) rows in 10 s; 100 rows left at 10 rows/s.
    meter = metered(1000, (0, 800), (10, 900))
    assert (meter.rate, meter.seconds_left) == (10, 10)


def test_the_rate_forgets() -> None:
    """Only the last minute counts, so that a stall is seen."""
    fast = [(float(t), 100 * t) for t in range(0, 61, 10)]
    stalled = [(float(t), 6000) for t in range(70, 121, 10)]
    assert metered(10_000, *fast).rate == 100
    assert metered(10_000, *fast, *stalled).rate == 0


def test_sparse_readings_still_give_a_rate() -> None:
    """Two readings further apart than the window are better than nothing."""
    assert metered(1000, (0, 0), (200, 400)).rate == 2


@pytest.mark.parametrize("readings", [[], [(0, 0)], [(0, 0), (0, 5)], [(0, 5), (1, 5)]])
def test_time_left_is_unknown_without_a_rate(readings: list[tuple[float, int]]) -> None:
    """No reading, no time passed, or no row done: nothing is promised."""
    assert metered(10, *readings).seconds_left is None


def test_nothing_left() -> None:
    """A finished run needs no more time, and neither does one without rows."""
    assert metered(10, (0, 10)).seconds_left == 0
    assert metered(0, (0, 0)).seconds_left == 0


def test_a_count_that_falls_is_no_negative_rate() -> None:
    """A unit that is done again makes the count fall; the rate stays at 0."""
    assert metered(10, (0, 5), (1, 3)).rate == 0


def test_a_short_curve_is_kept_whole() -> None:
    """Every reading of a short run is a point."""
    assert metered(10, (0, 0), (0.5, 4), (1, 10)).curve == [[0, 0], [0.5, 4], [1, 10]]


def test_a_long_curve_is_thinned_evenly() -> None:
    """At most CURVE_POINTS, evenly spaced, with the first and the last reading."""
    curve = metered(10**6, *((float(t), t) for t in range(10_001))).curve
    gaps = {later[0] - earlier[0] for earlier, later in pairwise(curve[:-1])}
    assert len(curve) <= CURVE_POINTS
    assert (curve[0], curve[-1]) == ([0, 0], [10_000, 10_000])
    assert len(gaps) == 1


def test_no_reading_no_curve() -> None:
    """A run that never polled has an empty curve."""
    assert Meter(5).curve == []


def test_description() -> None:
    """One line says what is done, how fast, and what is left."""
    meter = metered(100_000, (0, 0), (10, 12_345))
    # 1,234.5 rows/s; 87,655 rows left take 71.0 s.
    assert meter.describe() == "12,345 of 100,000 rows (12.3 %), 1,234 rows/s, 1 min 11 s left"


def test_description_before_anything_is_known() -> None:
    """The first line promises nothing."""
    assert metered(10, (0, 0)).describe() == "0 of 10 rows (0 %), time left unknown"


@pytest.mark.parametrize("curve", [None, [], [[0, 5]], [[2, 5], [2, 9]]])
def test_no_average_without_time(curve: list[list[float]] | None) -> None:
    """A manifest without a curve has no average pace."""
    assert rows_per_second({"throughput": curve}) is None


def test_average_pace() -> None:
    """Rows done by this run over its time."""
    assert rows_per_second({"throughput": [[0, 100], [10, 600]]}) == 50
