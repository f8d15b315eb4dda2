"""How good a policy is on validation rows, off-policy, and whether an earlier one was better beyond chance."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from models.arrow import Bool, Int64
from models.heads._policy import Float64
from models.learn.decisions import Decisions
from models.learn.episodes import backwards

LARGEST_WEIGHT: Final = 10.0  # of one decision: policy gradient's default; bounds the variance of what is compared
BEYOND_CHANCE: Final = 1.0  # standard errors of a difference
LONGEST_EPISODE: Final = 20  # decisions; beyond, the product of their weights is nearly 0 or huge, and tells nothing


class Judged(NamedTuple):
    """What a policy is worth on validation rows."""

    sums: Float64 | None = None
    """`[G]` Σ of values over each group's episodes; none where the log has no propensities."""
    counts: Float64 | None = None
    """`[G]` their number."""
    loss: float | None = None
    """What the network is trained to minimise, where that is a measure of the policy too; less is better."""

    @property
    def value(self) -> float | None:
        """The mean."""
        if self.sums is None or self.counts is None:
            return None
        return float(self.sums.sum() / self.counts.sum())

    def preferred_to(self, best: Judged) -> bool:
        """Whether this policy, which was trained longer, takes the place of the best one until now.

        The value decides where it differs by more than a standard error, else the loss, else longer training: a
        smaller difference in value is what a few validation rows do to any two policies.
        """
        score = self._difference(best)
        if abs(score) > BEYOND_CHANCE:
            return score > 0
        return self.loss is None or best.loss is None or self.loss <= best.loss

    def _difference(self, best: Judged) -> float:
        """This value minus the other one, in standard errors of the paired difference; groups are independent."""
        if self.sums is None or best.sums is None or self.counts is None:
            return 0.0
        difference, rows = self.sums - best.sums, self.counts.sum()
        error = float(np.sqrt(np.square(difference - self.counts * difference.sum() / rows).sum()) / rows)
        return float(difference.sum() / rows / error) if error else 0.0


def judged(log: Decisions, policy: Float64, expected: Float64, gamma: float, loss: float | None = None) -> Judged:
    """Doubly robust value of a policy on logged decisions (Jiang & Li 2016, arXiv:1511.03722).

    V_t = Σ_a π q̂(s_t, a) + min(ρ_t, c) (r_t + γ V_{t+1} − q̂(s_t, a_t)) with ρ_t = π(a_t)/b_t; the mean over first rows.
    With γ = 0 every row is one. A last row that was cut off has no correction: what followed is not known. Only
    episodes count whose actions, rewards and propensities are all known; if one is longer than 20 decisions, nothing
    is said.

    Args:
        log: the rows.
        policy: `[N, A]` its probabilities.
        expected: `[N, A]` returns that a model expects, learned from other groups.
        gamma: discount.
        loss: see `Judged`.
    """
    known = log.weighable
    episode: Int64 = log.episode if gamma else np.arange(len(log))
    whole = np.bincount(episode, ~known, minlength=1) == 0 if len(log) else np.zeros(0, np.bool_)
    first = np.flatnonzero(np.diff(episode, prepend=-1) > 0)
    first = first[whole[episode[first]]]
    if not len(first) or np.bincount(episode).max() > LONGEST_EPISODE:
        return Judged(loss=loss)
    values = _values(log, policy, expected, gamma, known)[first]
    codes = log.groups.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)[first]
    sums, counts = np.bincount(codes, values).astype(np.float64), np.bincount(codes).astype(np.float64)
    return Judged(sums, counts, loss)


def _values(log: Decisions, policy: Float64, expected: Float64, gamma: float, known: Bool) -> Float64:
    """`[N]` V_t; rows that are not known have no correction."""
    rows, taken = np.arange(len(log)), np.maximum(log.action, 0)
    weights = np.minimum(policy[rows, taken] / np.where(known, log.propensity, 1.0), LARGEST_WEIGHT)
    values: Float64 = (policy * expected).sum(axis=1)
    residual = np.nan_to_num(log.reward) - expected[rows, taken]
    if not gamma:
        return values + np.where(known, weights * residual, 0.0)
    for at in backwards(log.following):
        after = log.following[at]
        ahead = np.where(after >= 0, values[np.maximum(after, 0)], 0.0)
        corrected = known[at] & ((after >= 0) | log.terminated[at])
        values[at] += np.where(corrected, weights[at] * (residual[at] + gamma * ahead), 0.0)
    return values
