"""What courses are worth in the long run, for who knows a pupil's state: dynamic programming over the 16 states."""

from __future__ import annotations

from functools import cache
from math import erf, sqrt

import numpy as np

from pipelines.scenarios.education.courses import COURSES, GAMMA, MOVED, model, values_of
from pipelines.scenarios.education.grades import LEVEL_BOUNDS
from pipelines.scenarios.education.world import GAPS, WORLD
from pipelines.scenarios.streams import Floats

_SWEEPS = 200  # 0.9^200 is below 1e-9: what value iteration is off in the end, in parts of the first error
_ADVANCE = COURSES.index("advance")


@cache
def transitions() -> Floats:
    """`[S, A, S]` probability of each next state; the rest is graduation."""
    known = model()
    states, actions, _ = known.probability.shape
    chances = np.zeros((states, actions, states))
    going_on = known.probability * ~known.graduates
    np.add.at(chances, (np.arange(states)[:, None, None], np.arange(actions)[None, :, None], known.state), going_on)
    return chances


@cache
def allowed_shares() -> Floats:
    """`[S]` probability that an advanced course may be chosen in a state: grades show skill with noise, or are absent.

    P = 1 − (1 − absent) Φ((bound √(1 + noise²) − skill) / noise).
    """
    noise = WORLD.noises("grades")[0]
    skill = values_of(np.arange(len(transitions())))[:, MOVED.index("skill")]
    place = (LEVEL_BOUNDS[0] * sqrt(1 + noise**2) - skill) / noise
    below = np.array([0.5 * (1 + erf(p / sqrt(2))) for p in place.tolist()])
    shares: Floats = 1 - (1 - GAPS.absent["grades"]) * below
    return shares


def best_of(values: Floats) -> Floats:
    """`[S]` mean over what may be allowed of the largest value `[S, A]`."""
    without = np.delete(values, _ADVANCE, axis=1).max(axis=1)
    share = allowed_shares()
    found: Floats = share * values.max(axis=1) + (1 - share) * without
    return found


@cache
def optimal() -> Floats:
    """`[S, A]` Q(s, a) = r(s, a) + γ Σ P(s'|s, a) V(s') by value iteration, V(s) the mean over what may be allowed."""
    reward, chances = model().expected_reward(), transitions()
    values = reward
    for _ in range(_SWEEPS):
        values = reward + GAMMA * chances @ best_of(values)
    return values


def followed(policy: Floats) -> Floats:
    """`[S, A]` Q of a policy that takes course a with probability `policy` `[S, A]` in state s, on average over views.

    V = Σ_a π(a|s) Q(s, a), solved exactly: (I − γ Σ_a π P) V = Σ_a π r.
    """
    reward, chances = model().expected_reward(), transitions()
    mixed = np.einsum("sa,san->sn", policy, chances)
    value = np.linalg.solve(np.eye(len(mixed)) - GAMMA * mixed, (policy * reward).sum(axis=1))
    values: Floats = reward + GAMMA * chances @ value
    return values
