"""What must be so before a log says anything of a policy's value; free of torch."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from models.evaluate.estimates import by_group, mean_of
from models.evaluate.logged import Float64, Logged
from models.evaluate.support import Support

LEAST_GROUPS = 20  # below, resampling them says little of how values vary (Cameron, Gelbach & Miller 2008: 20 to 50)
LEAST_EFFECTIVE = 100.0  # episodes that the weights must be worth
MOST_OF_ALL_WEIGHT = 0.1  # share of all weight that one episode may carry
MOST_UNSEEN = (
    0.01  # part of the policy on actions never seen: moves a value by no more than that part of a reward's range
)
FALSE_ALARM = 1e-4  # chance that right propensities are refused, over all checks of a log


class Check(NamedTuple):
    """A mean that is known if the propensities are those with which actions were drawn."""

    name: str
    found: Float64
    """`[n]`"""
    expected: Float64
    """`[n]`"""
    rows: int
    """How many rows the mean is of; `found` and `expected` are 0 in others."""

    def deviation(self, logged: Logged) -> float:
        """Of the mean of found − expected, in standard errors over groups, as if it were 0."""
        sums, _ = by_group(mean_of(logged.per_episode(self.found - self.expected)), logged)
        spread = float(np.sqrt(np.square(sums).sum()))
        return float(sums.sum()) / spread if spread else 0.0


def refusals(logged: Logged, *, estimated: bool = False) -> list[str]:
    """Why nothing can be said of the policy's value from this log; empty where it can.

    Without support, or with propensities that cannot be, a value would be a guess that looks like a measurement.

    Args:
        logged: what is judged.
        estimated: the propensities come from a model of the log, not from the log: they are not held against one.
    """
    found = list(impossible(logged))
    return found or [*_too_little(Support.of(logged)), *_misfits(logged, estimated)]


def impossible(logged: Logged) -> Iterator[str]:
    """What cannot be, so that not even weights can be computed."""
    propensity, n = logged.propensity, len(logged)
    if not n:
        yield "the log must hold decisions; got none on the held-out rows"
        return
    missing = int(np.isnan(propensity).sum())
    if missing:
        yield f"propensities must be known; got none in {missing:,} of {n:,} rows"
    wrong = int(((propensity <= 0) | (propensity > 1)).sum())
    if wrong:
        yield f"propensities must lie in (0, 1]; got others in {wrong:,} of {n:,} rows"
    if not missing and not wrong and bool((propensity == 1).all()):
        yield "the log must hold actions drawn at random; got propensities of 1 only: nothing else was ever tried"
    barred = int(logged.barred.sum())
    if barred:
        yield f"actions must be among those allowed in their row; got others in {barred:,} of {n:,} rows"
    unknown = int((~np.isfinite(logged.reward)).sum())
    if unknown:
        yield f"rewards must be numbers; got none in {unknown:,} of {n:,} rows"
    if bool((np.where(logged.allowed, 0.0, logged.policy) > 0).any()):
        yield "the policy must choose among the actions that are allowed; got probability on others"


def _too_little(support: Support) -> Iterator[str]:
    if support.groups < LEAST_GROUPS:
        yield f"the log must hold at least {LEAST_GROUPS} groups that are independent; got {support.groups}"
    if support.effective < LEAST_EFFECTIVE:
        yield (
            f"the log must be worth at least {LEAST_EFFECTIVE:g} decisions or episodes for this policy; got "
            f"{support.effective:.1f} of {support.episodes:,} (effective sample size)"
        )
    if support.largest_share > MOST_OF_ALL_WEIGHT:
        yield (
            f"no decision or episode may carry more than {MOST_OF_ALL_WEIGHT:.0%} of all weight; got one with "
            f"{support.largest_share:.1%} (weight {support.largest:.3g})"
        )
    if support.unseen > MOST_UNSEEN:
        yield (
            f"the policy must choose actions that the log holds; got {support.unseen:.1%} of it on others, where "
            f"{MOST_UNSEEN:.0%} would do"
        )


def _misfits(logged: Logged, estimated: bool) -> Iterator[str]:
    """Propensities that cannot be those with which the log's actions were drawn, or a policy that the log lacks.

    All checks have a mean of 0 if b is right, whatever f is: E[f(x, A) / b(A|x)] = E[Σ over allowed of f(x, a)].
    """
    weights = Check("the judged policy's weights", logged.weights, np.ones(len(logged)), len(logged))
    others = [] if estimated else list(_checks(logged))
    limit = NormalDist().inv_cdf(1 - FALSE_ALARM / (2 * (1 + len(others))))
    worst = max(others, key=lambda check: abs(check.deviation(logged)), default=weights)
    off = worst is not weights and abs(worst.deviation(logged)) > limit
    if off:
        yield f"propensities must be those with which actions were drawn; got {_said(logged, worst)}"
    if abs(weights.deviation(logged)) > limit:
        yield _off_weights(weights, off)


def _checks(logged: Logged) -> Iterator[Check]:
    """f = 1[a = k] for each action k, times the modelled probability if there is one; and f = that probability.

    The last catches propensities that stand in the wrong rows: E[b̂(A|x) / b'] ≥ 1, more so the more b varies. It is
    done for each model by itself: of two that learned from each other's rows, the sum is far from normal.
    """
    behaviour = logged.behaviour
    likely = np.where(logged.allowed, 1.0 if behaviour is None else behaviour.probabilities, 0.0)
    for action in range(logged.policy.shape[1]):
        taken = np.where(logged.action == action, likely[:, action] / logged.propensity, 0.0)
        yield Check(f"action {action}", taken, likely[:, action], len(logged))
    if behaviour is None:
        return
    ratio, total = logged.taken(likely) / logged.propensity, likely.sum(axis=1)
    for part, rows in zip(*np.unique(behaviour.part, return_counts=True), strict=True):
        within = behaviour.part == part
        yield Check("what a model expects", np.where(within, ratio, 0.0), np.where(within, total, 0.0), int(rows))


def _said(logged: Logged, check: Check) -> str:
    """What is striking about the propensities, with the averages."""
    found, expected = check.found.sum() / check.rows, check.expected.sum() / check.rows
    averages = f"{found:.3f} on average for {check.name}, where {expected:.3f} is to be expected"
    if np.ptp(logged.propensity) < 1e-9:
        return f"{logged.propensity[0]:.3g} in every row, though not all actions were as likely: {averages}"
    if found < expected:
        return f"{averages}: they are too large, or what was allowed was sometimes never tried (`allowed` would say so)"
    return f"{averages}: they are of another row, position or policy, or from before actions were ruled out"


def _off_weights(weights: Check, explained: bool) -> str:
    mean = weights.found.mean()
    why = ", as propensities that are too small make it"
    if mean < 1:
        why = ", as choices that the log never tried, or propensities that are too large, make it"
    return f"the judged policy's weights must be 1 on average; got {mean:.3f}{'' if explained else why}"
