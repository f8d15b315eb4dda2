"""The bootstrap over groups: exact where it can be, nominal coverage where rows of a group are alike."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import Int64
from models.evaluate.base import bootstrap_over_groups


def test_groups_are_drawn_whole() -> None:
    """Every row of a group is drawn as often as the others of it."""
    groups = pa.array(["a", "b", "a", None, "b", "a"])
    members = [[0, 2, 5], [1, 4], [3]]

    def check(rows: Int64) -> float:
        counts = np.bincount(rows, minlength=6)
        assert all(len(set(counts[m])) == 1 for m in members)
        assert sum(counts[m[0]] for m in members) == 3
        return 0.0

    assert bootstrap_over_groups(check, groups, draws=50) == (0.0, 0.0)


def test_the_interval_is_that_of_groups_not_of_rows() -> None:
    """100 groups of 10 equal rows: the mean's standard error is 1/√100 = 0.1, so the interval is about 0.39 wide."""
    values = np.repeat(np.random.default_rng(0).standard_normal(100), 10)
    groups = pa.array(np.repeat(np.arange(100), 10))
    low, high = bootstrap_over_groups(lambda rows: float(values[rows].mean()), groups)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 10, rel=0.1)
    assert low < values.mean() < high


def test_the_same_seed_gives_the_same_interval() -> None:
    """Reports do not change when they are made again."""
    values, groups = np.arange(20.0), pa.array(range(20))
    first, again = (bootstrap_over_groups(lambda rows: float(values[rows].mean()), groups, draws=100) for _ in range(2))
    assert first == again


def test_draws_without_an_estimate_are_left_out() -> None:
    """NaN draws do not poison the interval; only when all are NaN it is NaN."""
    groups = pa.array(range(4))
    some = bootstrap_over_groups(lambda rows: 1.0 if 0 in rows else float("nan"), groups, draws=50)
    none = bootstrap_over_groups(lambda _: float("nan"), groups, draws=50)
    assert some == (1.0, 1.0)
    assert all(map(math.isnan, none))
