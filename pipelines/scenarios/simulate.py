"""The true value of any policy: its actions are taken in the scenario's own world."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from models.errors import UsageError
from pipelines.scenarios.base import Episodes, Scenario
from pipelines.scenarios.decisions import decide
from pipelines.scenarios.onestep import OneStep
from pipelines.scenarios.streams import Floats, Ints, Stream, generator

CHUNK = 250  # episodes at a time: bounds memory whatever their number

Policy: TypeAlias = Callable[[pa.RecordBatch], Floats]
"""From records as the pipeline reads them (`allowed` among the columns) to probabilities `[n, A]` of the actions."""


class Value(NamedTuple):
    """What a policy is worth."""

    mean: float
    """Mean discounted return of an episode."""
    standard_error: float
    episodes: int


def simulate(scenario: Scenario, policy: Policy, episodes: int = 1_000, seed: int = 0) -> Value:
    """Mean over episodes of Σ_t γ^t r_t under the policy; rewards without the noise that no action influences.

    Where every episode has one step, each contributes Σ_a π(a|x) E[r|x,a]; else actions are drawn. The same seed
    gives the same subjects and the same draws, so that two policies are compared on equal terms.

    Args:
        scenario: whose world it is.
        policy: sees a batch of records, gives a probability per action; 0 for what is not allowed.
        episodes: how many.
        seed: of the world; another one than the data set's, or the policy meets those it was trained on.

    Raises:
        UsageError: the probabilities of a row do not sum to 1, or one is given to what is not allowed.
    """
    starts = range(0, episodes, CHUNK)
    chunks = [_returns(scenario, policy, seed, np.arange(s, min(s + CHUNK, episodes))) for s in starts]
    returns = np.concatenate(chunks)
    return Value(float(returns.mean()), float(returns.std() / np.sqrt(len(returns))), len(returns))


def _returns(scenario: Scenario, policy: Policy, seed: int, subjects: Ints) -> Floats:
    """`[n]` discounted return of each subject's episode."""
    total, discount = np.zeros(len(subjects)), 1.0
    running, rngs = np.arange(len(subjects)), [generator(seed, Stream.SIMULATION, s) for s in subjects.tolist()]
    episodes = scenario.decision.begin(seed, subjects)
    while len(running):
        chances = _checked(policy(episodes.records()), episodes)
        if isinstance(episodes, OneStep):
            return np.asarray((chances * episodes.expected).sum(axis=1))
        uniform = np.array([rngs[index].random() for index in running.tolist()])
        acted = episodes.act(decide(chances, uniform).action)
        total[running] += discount * acted.reward
        running, episodes, discount = running[acted.runs_on], acted.following, discount * scenario.decision.gamma
    return total


def _checked(chances: Floats, episodes: Episodes) -> Floats:
    allowed = episodes.allowed()
    if chances.shape != allowed.shape:
        raise UsageError(f"a policy must give probabilities of shape {allowed.shape}; got {chances.shape}")
    if not np.allclose(chances.sum(axis=1), 1, atol=1e-4):  # float32 policies round
        raise UsageError(f"a policy's probabilities must sum to 1; got {chances.sum(axis=1).tolist()[:3]}")
    if (chances[~allowed] != 0).any() or (chances < 0).any():
        raise UsageError("a policy must give probability 0 to what is not allowed, and none below 0")
    normalized: Floats = chances / chances.sum(axis=1, keepdims=True)
    return normalized
