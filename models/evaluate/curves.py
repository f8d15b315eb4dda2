"""How often what a head said came true, and what it takes for what: numbers that reports draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.arrow import Int64
from models.evaluate.metrics import CALIBRATION_BINS, Float64

MOST_CLASSES = 100  # whose confusion is counted; of more, nobody reads the matrix


class Bin(NamedTuple):
    """Predictions that said about the same."""

    said: float
    """Mean probability; of a quantile, its level."""
    came_true: float
    """Share of the rows in which it came true."""
    rows: int


class Confusion(NamedTuple):
    """Which classes are taken for which."""

    classes: list[str]
    counts: Int64
    """`[K, K]` rows of class i that were taken for class j."""


def reliability(task: str, y: Float64, score: Float64, levels: Sequence[float] = ()) -> list[Bin]:
    """Bins of equal width of what was said, from low to high (DeGroot & Fienberg 1983); empty bins are left out.

    Of two classes P(last class) is looked at, of more the largest probability, of memberships every one; of quantiles
    the share of labels at or below each. Means say no probability: there are no bins.

    Args:
        task: what is predicted.
        y: `[n]` class indices or values, or `[n, K]` memberships.
        score: `[n]` or `[n, K]` as published.
        levels: of the quantiles.
    """
    if task == "quantile":
        below = (y[:, None] <= score).mean(axis=0)
        return [Bin(float(level), float(share), len(y)) for level, share in zip(levels, below, strict=True)]
    if task == "multiclass":
        return _binned(score.max(axis=1), score.argmax(axis=1) == y)
    return _binned(score.reshape(-1), y.reshape(-1) == 1) if task in ("binary", "multilabel") else []


def _binned(said: Float64, true: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[Bin]:
    place = np.clip(np.ceil(said * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)  # (lo, hi]
    rows, sums, hits = (np.bincount(place, weights, CALIBRATION_BINS) for weights in (None, said, true))
    return [Bin(float(sums[k] / rows[k]), float(hits[k] / rows[k]), int(rows[k])) for k in np.flatnonzero(rows)]


def confusion(task: str, y: Float64, score: Float64, classes: Sequence[object]) -> Confusion | None:
    """Rows by true and by most probable class; None where there are no classes of which one is true, or over 100.

    Args:
        task: what is predicted.
        y: `[n]` class indices.
        score: `[n]` P(last class) or `[n, K]`.
        classes: K names.
    """
    if task not in ("binary", "multiclass") or not 2 <= len(classes) <= MOST_CLASSES:
        return None
    taken_for = (score > 0.5).astype(np.int64) if task == "binary" else score.argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (y.astype(np.int64), taken_for), 1)
    return Confusion([str(name) for name in classes], counts)
