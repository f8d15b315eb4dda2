"""Uncertainty that every estimate shares: percentile intervals by a bootstrap over groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.arrow import Int64

DRAWS = 1000
COVERAGE = 0.95


class Interval(NamedTuple):
    """Where a value lies with 95 % confidence."""

    low: float
    high: float


def bootstrap_over_groups(
    estimate: Callable[[Int64], float], groups: pa.Array, *, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """95 % percentile interval of an estimate, drawing whole groups with replacement.

    The rows of one customer are not independent; groups are. (Efron 1979; the cluster bootstrap of Field & Welsh 2007.)
    Draws whose estimate is NaN (a class is missing) are left out; the interval is NaN if all are.

    Args:
        estimate: of row numbers `[k]`, in which a row stands as often as its group was drawn.
        groups: `[n]` group of each row.
        draws: number of resamples.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    codes = groups.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    estimates = np.array(
        [estimate(order[_rows_of(rng.integers(len(sizes), size=len(sizes)), starts, sizes)]) for _ in range(draws)]
    )
    known = estimates[~np.isnan(estimates)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(low), float(high))


def _rows_of(drawn: Int64, starts: Int64, sizes: Int64) -> Int64:
    """Positions `starts[g] … starts[g] + sizes[g] − 1` of every drawn group g, one after the other."""
    counts = sizes[drawn]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows: Int64 = np.repeat(starts[drawn], counts) + within
    return rows
