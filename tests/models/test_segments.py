"""Tests of the statistics of segments, against numpy on each segment by itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.segments import (
    Float64,
    position_in,
    segment_first,
    segment_last,
    segment_max,
    segment_mean,
    segment_min,
    segment_of,
    segment_quantiles,
    segment_slope,
    segment_std,
    segment_sum,
    within,
)

OFFSETS = np.array([0, 3, 3, 7, 8, 8])
VALUES = np.array([[3.0, -1.0, 2.0, 0.5, 0.5, -7.0, 4.0, 9.0], [1.0, 1.0, 1.0, -2.0, 0.0, 2.0, 4.0, -0.0]])

PLAIN: dict[Callable[..., Float64], Callable[[Float64], float]] = {
    segment_sum: np.sum,
    segment_mean: np.mean,
    segment_std: np.std,
    segment_min: np.min,
    segment_max: np.max,
    segment_first: lambda x: float(x[0]),
    segment_last: lambda x: float(x[-1]),
}


@pytest.mark.parametrize("statistic", PLAIN, ids=lambda f: f.__name__)
def test_statistics_are_those_of_each_segment(statistic: Callable[..., Float64]) -> None:
    """Each row's segment has the number that numpy gives for it alone; an empty one has 0."""
    result = statistic(VALUES, OFFSETS)

    for row, values in enumerate(VALUES):
        parts = [values[a:b] for a, b in itertools.pairwise(OFFSETS)]
        expected = [PLAIN[statistic](part) if len(part) else 0.0 for part in parts]
        np.testing.assert_allclose(result[row], expected, rtol=1e-12)


@pytest.mark.parametrize("statistic", PLAIN, ids=lambda f: f.__name__)
def test_a_segment_does_not_feel_its_neighbours(statistic: Callable[..., Float64]) -> None:
    """The same segment between other ones gives the same bits."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=37)
    results = []
    for before in (0, 5, 64):
        flat = np.concatenate([1e6 * rng.normal(size=before), own, 1e6 * rng.normal(size=3)])
        results.append(statistic(flat, np.array([0, before, before + 37, before + 40]))[1])

    assert results[0] == results[1] == results[2]


def test_slope_of_a_line_is_its_slope() -> None:
    """Points on 2t + 1 have slope 2; a single moment has none."""
    times = np.array([0.0, 1.0, 5.0, 4.0, 4.0])

    assert segment_slope(2 * times + 1, times, np.array([0, 3, 5])).tolist() == [2.0, 0.0]


def test_quantiles_are_elements_of_the_segment() -> None:
    """Lowest, middle and highest; of one element, that element; of none, 0."""
    low, middle, high = segment_quantiles(VALUES[0], OFFSETS, (0.0, 0.5, 1.0))

    assert low.tolist() == [-1.0, 0.0, -7.0, 9.0, 0.0]
    # Of -7, 0.5, 0.5, 4 the place 0.5·3 = 1.5 is rounded up to the third.
    assert middle.tolist() == [2.0, 0.0, 0.5, 9.0, 0.0]
    assert high.tolist() == [3.0, 0.0, 4.0, 9.0, 0.0]


@given(hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_quantiles_sort_any_floats(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    """Negative, tiny and huge numbers keep their order."""
    levels = tuple(np.linspace(0, 1, len(values)))

    found = segment_quantiles(values.astype(np.float64), np.array([0, len(values)]), levels)

    np.testing.assert_array_equal(found[:, 0], np.sort(values).astype(np.float64))


def test_places_and_owners() -> None:
    """Every element knows its segment and its place in it."""
    assert segment_of(OFFSETS).tolist() == [0, 0, 0, 2, 2, 2, 2, 3]
    assert position_in(OFFSETS).tolist() == [0, 1, 2, 0, 1, 2, 3, 0]


def test_offsets_after_a_filter() -> None:
    """What is left of each segment is found at the new offsets."""
    keep = np.array([True, False, True, False, False, False, True, True])

    assert within(keep, OFFSETS).tolist() == [0, 2, 2, 3, 4, 4]
