"""Per-decision importance sampling: every reward by the weights of the decisions that led to it."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from models.evaluate.estimates import EstimatorSpec, Terms, mean_of
from models.evaluate.logged import Float64, Logged


class PerDecisionSpec(EstimatorSpec):
    """V = mean of Σ_t γ^t ρ_t r_t, ρ_t = w_0 … w_t: later decisions have no say in a reward (Precup et al. 2000).

    Weighted: Σ_t γ^t Σ_i ρ_it r_it / Σ_i ρ_it, steadier and a little biased; an episode that ended keeps its last ρ.
    Of decisions that stand alone, the first is `ips` and the second `snips`.
    """

    kind: ClassVar[str] = "per_decision"
    needs_model: ClassVar[bool] = False

    weighted: bool = False
    """Divide by the sum of weights at each step, not by the number of episodes."""

    def build(self) -> Self:
        """Itself: there is nothing to load."""
        return self

    def __call__(self, logged: Logged) -> Terms:
        """See `Estimator`."""
        rewards = logged.discount * logged.products * logged.reward
        if not self.weighted:
            return mean_of(logged.per_episode(rewards))
        return Terms(_by_step(logged, rewards), _held(logged))


def _by_step(logged: Logged, rows: Float64) -> Float64:
    """`[n]` to `[e, T]`, 0 where an episode is over."""
    episode, step, starts = logged.places
    table = np.zeros((len(starts), int(step.max(initial=-1)) + 1))
    table[episode, step] = rows
    return table


def _held(logged: Logged) -> Float64:
    """`[e, T]` ρ at each step, and from an episode's end on its last."""
    products, last = _by_step(logged, logged.products), logged.places.step[logged.ends]
    over = np.arange(products.shape[1]) > last[:, None]
    return np.where(over, logged.products[logged.ends][:, None], products)
