"""Supervised metrics: pure functions of targets and predictions, each with its formula and source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.arrow import Bool, Int64

Float64 = npt.NDArray[np.float64]

CALIBRATION_BINS = 15  # Guo et al. 2017
SMALLEST_PROBABILITY = 1e-7  # near float32's resolution at 1: a certain mistake costs 16 nats, not infinitely many


def roc_auc(y: Bool, score: Float64) -> float:
    """P(score of a positive > score of a negative), ties counting one half; NaN unless both classes are there.

    By ranks (Mann & Whitney 1947): AUC = (R₊ − n₊(n₊ + 1)/2) / (n₊ n₋), R₊ the sum of the positives' mean ranks.
    """
    positives = int(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = (last - (counts - 1) / 2)[inverse]  # ranks count from 1; ties share the mean of theirs
    return float((mean_rank[y].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(y: Bool, score: Float64) -> float:
    """Σ (R_k − R_{k−1}) P_k over descending distinct scores; NaN without positives.

    The step-wise area under precision and recall, without interpolation (Zhu 2004; scikit-learn's definition).
    """
    if not y.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(y) - 1)  # last row of each distinct score
    hits = np.cumsum(y[order])[ends]
    precision, recall = hits / (ends + 1), hits / hits[-1]
    return float((np.diff(recall, prepend=0) * precision).sum())


def log_likelihood(y: Int64, p: Float64) -> float:
    """Mean log of the probability given to the true class, in nats (0 is perfect).

    Args:
        y: `[n]` class indices.
        p: `[n, K]` probabilities; clipped below at 1e-7.
    """
    return float(np.log(np.maximum(p[np.arange(len(y)), y], SMALLEST_PROBABILITY)).mean())


def brier(y: Int64, p: Float64) -> float:
    """mean Σ_k (p_k − 1[y = k])² (Brier 1950); for two classes that is twice the form with P(positive) alone."""
    return float(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1).mean())


def calibration_error(y: Int64, p: Float64) -> float:
    """ECE = Σ_b n_b/n · |accuracy_b − confidence_b| over 15 equal bins of the largest probability (Guo et al. 2017)."""
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == y
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)  # (lo, hi]
    gaps = np.bincount(bins, weights=correct - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(y))


def accuracy(y: Int64, p: Float64) -> float:
    """Share of rows whose most probable class is the true one."""
    return float((p.argmax(axis=1) == y).mean())


def balanced_accuracy(y: Int64, p: Float64) -> float:
    """Mean over the classes that occur of the share of their rows that are recognised."""
    correct = p.argmax(axis=1) == y
    totals = np.bincount(y)
    return float((np.bincount(y, weights=correct)[totals > 0] / totals[totals > 0]).mean())


def r_squared(y: Float64, prediction: Float64) -> float:
    """1 − Σ(y − ŷ)² / Σ(y − ȳ)²; NaN where y does not vary."""
    variation = ((y - y.mean()) ** 2).sum()
    return float(1 - ((y - prediction) ** 2).sum() / variation) if variation else float("nan")


def mean_absolute_error(y: Float64, prediction: Float64) -> float:
    """mean |y − ŷ|, in the label's units."""
    return float(np.abs(y - prediction).mean())


def root_mean_squared_error(y: Float64, prediction: Float64) -> float:
    """√ mean (y − ŷ)², in the label's units."""
    return float(np.sqrt(((y - prediction) ** 2).mean()))


def both_classes(p: Float64) -> Float64:
    """`[n]` P(positive) to `[n, 2]`."""
    return np.stack([1 - p, p], axis=1)


Metric = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float]
"""Of targets `[n]` (class index or value) and published scores (`[n]`, or `[n, K]` with one per class)."""


def _of_classes(metric: Callable[[Int64, Float64], float]) -> Metric:
    def of_scores(y: Float64, score: Float64) -> float:
        return metric(y.astype(np.int64), both_classes(score) if score.ndim == 1 else score)

    return of_scores


_CLASSES: dict[str, Metric] = {
    "log_likelihood": _of_classes(log_likelihood),
    "accuracy": _of_classes(accuracy),
    "balanced_accuracy": _of_classes(balanced_accuracy),
    "brier": _of_classes(brier),
    "ece": _of_classes(calibration_error),
}

METRICS: dict[str, dict[str, Metric]] = {
    "binary": {
        "roc_auc": lambda y, score: roc_auc(y == 1, score),
        "average_precision": lambda y, score: average_precision(y == 1, score),
        **_CLASSES,
    },
    "multiclass": _CLASSES,
    "regression": {"r2": r_squared, "mae": mean_absolute_error, "rmse": root_mean_squared_error},
}
"""Task -> name -> metric; the first of a task is its headline, of which more is better."""


def headline(task: str) -> str:
    """The metric by which models of this task are compared; more is better."""
    return next(iter(METRICS[task]))
