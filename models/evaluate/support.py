"""How much of a log speaks of a policy; free of torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.evaluate.logged import Float64, Logged


@dataclass(frozen=True)
class Support:
    """How much of the log speaks of the judged policy."""

    rows: int
    episodes: int
    """As many as rows, where every row is a decision of its own."""
    groups: int
    effective: float
    """(Σu)² / Σu²: as many episodes of equal weight would tell as much (Kish 1965)."""
    largest: float
    """The largest weight u of an episode."""
    largest_share: float
    """Its part of Σu."""
    mean: float
    """Mean of the rows' weights w: 1 on average, if the propensities are those with which actions were drawn."""
    standard_error: float
    """Of that mean."""
    unseen: float
    """Part of the judged policy's probability that lies on actions which the log holds nowhere."""

    @classmethod
    def of(cls, logged: Logged) -> Support:
        """From usable propensities; see `refusals`."""
        weights, carried, n = logged.weights, carried_weights(logged), len(logged)
        total, largest = carried.sum(), float(carried.max(initial=0.0))
        taken = np.bincount(logged.action, minlength=logged.policy.shape[1]) > 0
        return cls(
            rows=n,
            episodes=len(carried),
            groups=len(logged.groups.unique()),
            effective=float(total**2 / np.square(carried).sum()) if total else 0.0,
            largest=largest,
            largest_share=float(largest / total) if total else 1.0,
            mean=float(weights.mean()) if n else float("nan"),
            standard_error=float(weights.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf"),
            unseen=float(logged.policy[:, ~taken].sum(axis=1).mean()) if n else 1.0,
        )


def carried_weights(logged: Logged) -> Float64:
    """`[e]` u = Σ_t γ^t ρ_t: by how much an episode's rewards count; of single decisions their weight w."""
    return logged.per_episode(logged.discount * logged.products)
