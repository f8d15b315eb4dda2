"""Logged decisions seen by a policy that is to be judged, and what must be so before it counts; free of torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Bool, Int64

Float64 = npt.NDArray[np.float64]

LEAST_EFFECTIVE = 100.0  # rows that the weights must be worth
MOST_OF_ALL_WEIGHT = 0.1  # share of Σw that one row may carry
STANDARD_ERRORS = 3.0  # by which the mean weight may differ from 1


@dataclass(frozen=True)
class Logged:
    """One decision per row, with what the judged policy would have done there."""

    action: Int64
    """`[n]` index of the action taken."""
    reward: Float64
    """`[n]` what came of it."""
    propensity: Float64
    """`[n]` probability with which it was taken; NaN where the log does not say."""
    policy: Float64
    """`[n, A]` probability of every action under the judged policy; rows sum to 1."""
    groups: pa.Array
    """`[n]` customer, patient or episode: rows of one group are not independent."""
    allowed: Bool
    """`[n, A]` actions that could have been taken."""
    model: Float64 | None = None
    """`[n, A]` rewards that a model expects, learned from other groups than the row's."""

    def __len__(self) -> int:
        return len(self.action)

    @property
    def weights(self) -> Float64:
        """`[n]` π(a|x) / b(a|x)."""
        chosen: Float64 = np.take_along_axis(self.policy, self.action[:, None], axis=1)[:, 0]
        weights: Float64 = chosen / self.propensity
        return weights

    @property
    def expected(self) -> Float64:
        """`[n]` Σ_a π(a|x) q̂(x, a)."""
        assert self.model is not None
        value: Float64 = (self.policy * self.model).sum(axis=1)
        return value

    @property
    def residual(self) -> Float64:
        """`[n]` r − q̂(x, a)."""
        assert self.model is not None
        residual: Float64 = self.reward - np.take_along_axis(self.model, self.action[:, None], axis=1)[:, 0]
        return residual

    def take(self, rows: Int64) -> Logged:
        """The rows of these numbers."""
        model = None if self.model is None else self.model[rows]
        return replace(
            self,
            action=self.action[rows],
            reward=self.reward[rows],
            propensity=self.propensity[rows],
            policy=self.policy[rows],
            groups=self.groups.take(pa.array(rows)),
            allowed=self.allowed[rows],
            model=model,
        )


@dataclass(frozen=True)
class Support:
    """How much of the log speaks of the judged policy."""

    rows: int
    groups: int
    effective: float
    """(Σw)² / Σw²: as many rows of equal weight would tell as much (Kish 1965)."""
    largest: float
    """The largest weight."""
    largest_share: float
    """Its part of Σw."""
    mean: float
    """Mean weight: 1 on average, if the propensities are those with which actions were really drawn."""
    standard_error: float
    """Of the mean weight."""
    unseen: float
    """Part of the judged policy's probability that lies on actions which the log holds nowhere."""

    @classmethod
    def of(cls, logged: Logged) -> Support:
        """From usable propensities; see `impossible`."""
        weights = logged.weights
        total, n = weights.sum(), len(weights)
        taken = np.bincount(logged.action, minlength=logged.policy.shape[1]) > 0
        return cls(
            rows=n,
            groups=len(logged.groups.unique()),
            effective=float(total**2 / np.square(weights).sum()) if total else 0.0,
            largest=float(weights.max(initial=0.0)),
            largest_share=float(weights.max(initial=0.0) / total) if total else 1.0,
            mean=float(weights.mean()) if n else float("nan"),
            standard_error=float(weights.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf"),
            unseen=float(logged.policy[:, ~taken].sum(axis=1).mean()) if n else 1.0,
        )


def refusals(logged: Logged) -> list[str]:
    """Why nothing can be said of the policy's value from this log; empty where it can.

    Without support, or with propensities that cannot be, a value would be a guess that looks like a measurement.
    """
    found = list(_impossible(logged))
    return found or [*_too_little(Support.of(logged)), *_misfits(logged)]


def _impossible(logged: Logged) -> Iterator[str]:
    propensity = logged.propensity
    if not len(propensity):
        yield "the log must hold decisions; got none on the held-out rows"
        return
    missing, n = int(np.isnan(propensity).sum()), len(propensity)
    if missing:
        yield f"propensities must be known; got none in {missing:,} of {n:,} rows"
    wrong = int(((propensity <= 0) | (propensity > 1)).sum())
    if wrong:
        yield f"propensities must lie in (0, 1]; got others in {wrong:,} of {n:,} rows"
    if not missing and not wrong and bool((propensity == 1).all()):
        yield "the log must hold actions drawn at random; got propensities of 1 only: nothing else was ever tried"


def _too_little(support: Support) -> Iterator[str]:
    if support.effective < LEAST_EFFECTIVE:
        yield (
            f"the log must be worth at least {LEAST_EFFECTIVE:g} rows for this policy; got {support.effective:.1f} of "
            f"{support.rows:,} (effective sample size)"
        )
    elif support.largest_share > MOST_OF_ALL_WEIGHT:
        yield (
            f"no row may carry more than {MOST_OF_ALL_WEIGHT:.0%} of all weight; got one with "
            f"{support.largest_share:.1%} (weight {support.largest:.3g})"
        )
    if support.unseen > 0.0:
        yield f"the policy must choose actions that the log holds; got {support.unseen:.1%} of it on others"


def _misfits(logged: Logged) -> Iterator[str]:
    """Propensities that cannot be those with which the log's actions were drawn.

    For every action a, E[1{A = a} / b(a|x)] is the share of rows in which a was allowed; and E[w] = 1.
    """
    checks = [("the judged policy's weights", logged.weights, np.ones(len(logged)))]
    for action in range(logged.policy.shape[1]):
        taken = (logged.action == action) / logged.propensity
        checks.append((f"action {action}", taken, logged.allowed[:, action].astype(np.float64)))
    for name, found, expected in checks:
        difference = found - expected
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        if abs(difference.mean()) > STANDARD_ERRORS * error:
            yield (
                f"propensities must be those with which actions were drawn; got {found.mean():.3f} on average for "
                f"{name}, where {expected.mean():.3f} ± {error:.3f} is to be expected"
            )
