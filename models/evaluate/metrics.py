"""Supervised metrics: pure functions of targets and predictions, each with its formula and source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from models.arrow import Bool, Int64

Float64 = npt.NDArray[np.float64]

CALIBRATION_BINS = 15  # Guo et al. 2017
SMALLEST_PROBABILITY = 1e-7  # near float32's resolution at 1: a certain mistake costs 16 nats, not infinitely many


Metric = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float]
"""Of targets (`[n]` class index or value, `[n, K]` memberships) and published scores (`[n]`, or `[n, K]`)."""


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


def pinball(y: Float64, quantiles: Float64, levels: Float64) -> float:
    """mean over rows and levels of max(τ u, (τ − 1) u), u = y − q_τ (Koenker & Bassett 1978), in the label's units.

    Args:
        y: `[n]`.
        quantiles: `[n, K]`.
        levels: `[K]` τ.
    """
    above = y[:, None] - quantiles
    return float(np.maximum(levels * above, (levels - 1) * above).mean())


def pinball_skill(y: Float64, quantiles: Float64, levels: Float64) -> float:
    """1 − pinball loss / that of the rows' own quantiles, the same for all (R¹, Koenker & Machado 1999).

    What R² is to means: 0 knows nothing of the record, 1 is certain and right; NaN where y does not vary.
    """
    constant = pinball(y, np.tile(np.quantile(y, levels), (len(y), 1)), levels) if len(y) else 0.0
    return 1 - pinball(y, quantiles, levels) / constant if constant else float("nan")


def coverage(y: Float64, quantiles: Float64) -> float:
    """Share of rows between the lowest and the highest quantile; of a single quantile, the share at or below it."""
    low = quantiles[:, 0] if quantiles.shape[1] > 1 else -np.inf
    return float(((low <= y) & (y <= quantiles[:, -1])).mean())


def coverage_error(y: Float64, quantiles: Float64, levels: Float64) -> float:
    """The largest over levels of |share of rows at or below q_τ − τ|."""
    return float(np.abs((y[:, None] <= quantiles).mean(axis=0) - levels).max())


def macro(metric: Callable[[Bool, Float64], float]) -> Metric:
    """Of `[n, K]` memberships and probabilities: the mean over the classes for which there is a value."""

    def of_scores(y: Float64, score: Float64) -> float:
        values = np.array([metric(of == 1, p) for of, p in zip(y.T, score.T, strict=True)])
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    return of_scores


def both_classes(p: Float64) -> Float64:
    """`[n]` P(positive) to `[n, 2]`."""
    return np.stack([1 - p, p], axis=1)


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


def _of_memberships(metric: Callable[[Int64, Float64], float]) -> Metric:
    """Of `[n, K]` memberships and probabilities: every class of every row is a yes or no."""

    def of_scores(y: Float64, score: Float64) -> float:
        return metric(y.reshape(-1).astype(np.int64), both_classes(score.reshape(-1)))

    return of_scores


METRICS: dict[str, dict[str, Metric]] = {
    "binary": {
        "roc_auc": lambda y, score: roc_auc(y == 1, score),
        "average_precision": lambda y, score: average_precision(y == 1, score),
        **_CLASSES,
    },
    "multiclass": _CLASSES,
    "multilabel": {
        "roc_auc": macro(roc_auc),
        "average_precision": macro(average_precision),
        "log_likelihood": _of_memberships(log_likelihood),
        "accuracy": _of_memberships(accuracy),
        "brier": _of_memberships(brier),
        "ece": _of_memberships(calibration_error),
    },
    "regression": {"r2": r_squared, "mae": mean_absolute_error, "rmse": root_mean_squared_error},
}
"""Task -> name -> metric; the first of a task is its headline, of which more is better. Quantiles: `metrics_of`."""


def metrics_of(task: str, levels: Sequence[float] = ()) -> dict[str, Metric]:
    """Name -> metric of a task; the first is its headline, of which more is better.

    Args:
        task: what is predicted.
        levels: of the quantiles, where the task is `quantile`.
    """
    if task != "quantile":
        return METRICS[task]
    of = np.array(levels)
    return {
        "pinball_skill": lambda y, score: pinball_skill(y, score, of),
        "pinball": lambda y, score: pinball(y, score, of),
        "coverage": coverage,
        "coverage_error": lambda y, score: coverage_error(y, score, of),
    }


def headline(task: str) -> str:
    """The metric by which models of this task are compared; more is better."""
    return next(iter(metrics_of(task)))
