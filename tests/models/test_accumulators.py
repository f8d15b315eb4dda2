"""The accumulators: exact where they promise it, bounded where they do not, and blind to order."""

from __future__ import annotations

import math
import pickle
import sys
from decimal import Decimal
from fractions import Fraction
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.accumulators import (
    MAX_CATEGORY_LENGTH,
    RELATIVE_ERROR,
    CategoryAccumulator,
    ExactSums,
    NumberAccumulator,
    QuantileSketch,
    Vocabulary,
)
from models.statistics import QUANTILES

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def lower_quantile(values: np.ndarray, name: str) -> float:
    """The value that a quantile's name stands for: of rank ⌊q·(n - 1)⌋."""
    return float(np.sort(values)[int(float(name) * (len(values) - 1))])


@settings(deadline=None)
@given(st.lists(st.lists(FINITE, max_size=8), max_size=6), st.randoms(use_true_random=False))
def test_numbers_do_not_depend_on_how_they_are_split_or_merged(parts: list[list[float]], random: Random) -> None:
    """Any split, merged as a tree in any order, ends in bitwise the same statistics."""
    whole = NumberAccumulator()
    whole.update(np.array([x for part in parts for x in part]))
    pool = [NumberAccumulator() for _ in range(len(parts) + 1)]
    for accumulator, part in zip(pool, parts, strict=False):
        accumulator.update(np.array(part))

    while len(pool) > 1:
        left = pool.pop(random.randrange(len(pool)))
        pool[random.randrange(len(pool))].merge(left)

    assert pool[0].finish() == whole.finish()


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=20))
def test_mean_and_variance_are_the_exact_ones_rounded_once(values: list[float]) -> None:
    """Against rational arithmetic, for any finite values, also where float64 sums would overflow or cancel."""
    exact = [Fraction(x) for x in values]
    mean = sum(exact) / len(exact)
    variance = min(sum((x - mean) ** 2 for x in exact) / len(exact), Fraction(sys.float_info.max))

    sums = ExactSums()
    sums.update(np.array(values))

    assert (sums.mean(), sums.variance()) == (float(mean), float(variance))


def test_variance_of_small_noise_on_a_large_offset() -> None:
    """1e9 ± 1 has variance 1; the textbook formula fails here, because float64 at 1e18 has steps of 128."""
    sums = ExactSums()
    sums.update(np.tile([1e9 - 1, 1e9 + 1], 50_000))
    assert (sums.count, sums.mean(), sums.variance()) == (100_000, 1e9, 1.0)


@pytest.mark.parametrize("name", QUANTILES)
@pytest.mark.parametrize("shape", ["lognormal", "negative", "mixed", "duplicates"])
def test_quantiles_are_within_the_relative_error_and_on_the_outer_side(shape: str, name: str) -> None:
    """For heavy tails, negative values, both signs and few distinct values."""
    rng = np.random.default_rng(7)
    values = {
        "lognormal": rng.lognormal(3, 2, 20_000),
        "negative": -rng.lognormal(0, 1, 20_000),
        "mixed": rng.normal(0, 5, 20_000),
        "duplicates": rng.integers(-3, 4, 20_000).astype(np.float64),
    }[shape]
    sketch = QuantileSketch()
    sketch.update(values)

    found, true = sketch.quantile(float(name)), lower_quantile(values, name)

    assert abs(found - true) <= RELATIVE_ERROR * abs(true) * (1 + 1e-12)
    assert found <= true if float(name) < 0.5 else found >= true or name == "0.5"


def test_quantiles_keep_within_the_extremes() -> None:
    """A constant's quantiles are the constant, and years in two buckets do not become one value."""
    constant, years = QuantileSketch(), QuantileSketch()
    constant.update(np.full(1_000, 0.1))
    years.update(np.arange(2_019.0, 2_027.0))
    assert {constant.quantile(float(name)) for name in QUANTILES} == {0.1}
    assert (years.quantile(0.001), years.quantile(0.999)) == (2_019.0, 2_026.0)


def test_sketch_is_bounded() -> None:
    """Values over all of float64's range fill 64 octaves of 200 buckets per sign, and zero's."""
    sketch = QuantileSketch()
    magnitudes = np.ldexp(np.linspace(1, 2, 4_000, endpoint=False)[:, None], np.arange(-1_000, 1_001, 8)).ravel()
    sketch.update(np.concatenate([magnitudes, -magnitudes]))
    assert len(sketch.keys) <= 2 * 64 * 200 + 1
    assert sketch.counts.sum() == 2 * len(magnitudes)
    assert sketch.quantile(0.5) == 0.0


def test_numbers_that_are_not_finite_or_null_are_left_out() -> None:
    """Of null, NaN, both infinities and 3, only 3 counts."""
    accumulator = NumberAccumulator()
    accumulator.update(pa.array([None, math.nan, math.inf, -math.inf, 3.0]))
    found = accumulator.finish()
    assert (found.count, found.mean, found.variance, found.quantiles["0.5"]) == (1, 3.0, 0.0, 3.0)


def test_integers_decimals_and_booleans_are_numbers() -> None:
    """Every Arrow number type counts at its value."""
    accumulator = NumberAccumulator()
    for values in (pa.array([1, 2]), pa.array([Decimal("3.00")]), pa.array([True, False])):
        accumulator.update(values)
    assert accumulator.finish().mean == 7 / 5  # (1 + 2 + 3 + 1 + 0) / 5


def test_nothing_observed() -> None:
    """Statistics of nothing are zeros without quantiles, and merging nothing changes nothing."""
    accumulator = NumberAccumulator()
    accumulator.merge(NumberAccumulator())
    found = accumulator.finish()
    assert (found.count, found.mean, found.variance, found.quantiles) == (0, 0.0, 0.0, {})


def test_state_is_small_and_pickles() -> None:
    """100,000 lognormal values travel in under 100 kB and come back the same."""
    accumulator = NumberAccumulator()
    accumulator.update(np.random.default_rng(0).lognormal(0, 3, 100_000))
    state = pickle.dumps(accumulator)
    assert len(state) < 100_000
    assert pickle.loads(state).finish() == accumulator.finish()  # noqa: S301  # our own bytes


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcdef"), max_size=40), st.integers(0, 40))
def test_categories_do_not_depend_on_how_they_are_split(values: list[str], cut: int) -> None:
    """Two halves merged in either order give what one accumulator gives."""
    whole, left, right = CategoryAccumulator(), CategoryAccumulator(), CategoryAccumulator()
    whole.update(pa.array(values, pa.string()))
    left.update(pa.array(values[:cut], pa.string()))
    right.update(pa.array(values[cut:], pa.string()))

    right.merge(left)

    assert right.finish() == whole.finish()


def test_vocabulary_is_ordered_by_frequency_then_name() -> None:
    """Equal counts follow the alphabet; nulls do not count."""
    accumulator = CategoryAccumulator()
    accumulator.update(pa.array(["pear", "fig", "apple", "fig", None, "kiwi", "kiwi"]))
    found = accumulator.finish()
    assert (found.count, found.vocabulary) == (6, ("fig", "kiwi", "apple", "pear"))


def test_vocabulary_over_its_capacity_keeps_what_is_frequent() -> None:
    """One value in ten survives ten times as many single ones as there is room for."""
    parts = [Vocabulary(capacity=50), Vocabulary(capacity=50)]
    for part, vocabulary in enumerate(parts):
        for start in range(0, 250, 25):
            singles = [f"{part}-{start + i}" for i in range(25)]
            vocabulary.update(pa.array([*singles, "often", "often", "often"]))
    parts[0].merge(parts[1])
    assert parts[0].count == 560
    assert parts[0].top(1) == ("often",)
    assert len(parts[0].counts) <= 50


def test_free_text_enters_no_vocabulary() -> None:
    """A value longer than a category can be is counted as a value but not kept."""
    accumulator = CategoryAccumulator()
    accumulator.update(pa.array(["x" * (MAX_CATEGORY_LENGTH + 1), "y" * MAX_CATEGORY_LENGTH]))
    found = accumulator.finish()
    assert (found.count, found.vocabulary) == (2, ("y" * MAX_CATEGORY_LENGTH,))
