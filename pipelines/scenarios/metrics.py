"""The few scores that truth/best.json states."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.streams import Bools, Floats


def auc(label: Bools, score: Floats) -> float:
    """Area under the ROC curve: P(score of a positive > score of a negative), ties counting half."""
    _, rank_of, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(counts) - (counts - 1) / 2
    positives = int(label.sum())
    rank_sum = middle_rank[rank_of][label].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * (len(label) - positives)))


def log_likelihood(label: Bools, probability: Floats) -> float:
    """Mean log probability of what happened, in nats per row (at most 0)."""
    return float(np.log(np.where(label, probability, 1 - probability)).mean())


def r2(target: Floats, prediction: Floats) -> float:
    """1 - residual variance / variance."""
    return float(1 - np.mean((target - prediction) ** 2) / np.var(target))


def mae(target: Floats, prediction: Floats) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(target - prediction)))
