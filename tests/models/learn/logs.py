"""Logged decisions whose best policy is known: single ones, and a small world of states."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from models.arrow import Bool, Float32, Int64
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads._policy import Float64, softmax
from models.heads.base import DecisionHeadSpec
from models.learn.decisions import Decisions
from models.spec import discover

INPUTS = {"photo": 4, "visits": 3}
DECISIONS: dict[str, Any] = {"action": "offer", "reward": "revenue", "propensity": "chance"}
EPISODES: dict[str, Any] = {**DECISIONS, "episode": "visit", "step": "page"}


class Single(NamedTuple):
    """Single decisions and what every action is really worth there."""

    log: Decisions
    worth: Float64
    """`[N, 3]`"""

    def value(self, policy: Float64) -> float:
        """What the policy is really worth."""
        return float((policy * self.worth).sum(axis=1).mean())

    def share_of_best(self, policy: Float64) -> float:
        """How far the policy gets on the way from the logging policy (0) to the best one (1)."""
        worst, best = self.value(logging_policy(self.worth)), float(self.worth.max(axis=1).mean())
        return (self.value(policy) - worst) / (best - worst)


def logging_policy(worth: Float64) -> Float64:
    """Prefers the better actions a little."""
    return softmax(0.5 * worth, np.ones(worth.shape, np.bool_))


def single(rows: int, seed: int = 0, *, noise: float = 0.3, per_group: int = 1) -> Single:
    """Three actions that are worth 0, what the photo shows, and what the visits show; both are standard normal."""
    rng, world = np.random.default_rng(seed), np.random.default_rng(7)  # the same directions for every seed
    shown = rng.standard_normal((rows, 2))
    x = np.zeros((rows, 2, 4), np.float32)
    for index, width in enumerate(INPUTS.values()):
        direction = world.standard_normal(width)
        x[:, index, :width] = shown[:, [index]] * direction + 0.1 * rng.standard_normal((rows, width))
    worth = np.column_stack([np.zeros(rows), shown])
    logging = logging_policy(worth)
    action: Int64 = (logging.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    at = np.arange(rows)
    log = Decisions(
        inputs=dict(INPUTS),
        x=x,
        mask=np.ones((rows, 2), np.bool_),
        action=action,
        reward=worth[at, action] + noise * rng.standard_normal(rows),
        propensity=logging[at, action],
        allowed=np.ones((rows, 3), np.bool_),
        groups=pa.array([f"customer {i // per_group}" for i in at]),
        episode=at,
        following=np.full(rows, -1),
        terminated=np.ones(rows, np.bool_),
    )
    return Single(log, worth)


class World(NamedTuple):
    """Every action in every state leads to one state; state 0 ends an episode."""

    reward: Float64
    """`[S, A]`"""
    after: Int64
    """`[S, A]` the state that follows."""
    allowed: Bool
    """`[S, A]`"""

    def best_values(self, gamma: float) -> Float64:
        """`[S, A]` by value iteration: r + γ max over allowed of the value that follows."""
        q = np.zeros(self.reward.shape)
        for _ in range(1000):
            q = self.reward + gamma * (np.where(self.allowed, q, -np.inf).max(axis=1) * self._goes_on())[self.after]
        return q

    def values(self, policy: Float64, gamma: float) -> Float64:
        """`[S, A]` of the policy, by iteration."""
        q = np.zeros(self.reward.shape)
        for _ in range(1000):
            q = self.reward + gamma * ((policy * q).sum(axis=1) * self._goes_on())[self.after]
        return q

    def _goes_on(self) -> Float64:
        return (np.arange(len(self.reward)) > 0).astype(np.float64)

    def _inputs(self) -> dict[str, int]:
        return {"photo": len(self.reward), "visits": 1}

    def _shown(self, states: Int64) -> Float32:
        """`[n, 2, S]`: the photo shows which state it is, the visits whether its number is odd."""
        x = np.zeros((len(states), 2, len(self.reward)), np.float32)
        x[np.arange(len(states)), 0, states] = 1
        x[:, 1, 0] = states % 2
        return x

    def logged(self, episodes: int, length: int, seed: int = 0) -> Decisions:
        """Episodes in which actions are drawn evenly; they end in state 0, or are cut off after `length` steps."""
        rng = np.random.default_rng(seed)
        rows: list[tuple[int, int, int]] = []  # episode, state, action
        for episode in range(episodes):
            state = int(rng.integers(1, len(self.reward)))
            for _ in range(length):
                action = int(rng.choice(np.flatnonzero(self.allowed[state])))
                rows.append((episode, state, action))
                state = int(self.after[state, action])
                if state == 0:
                    break
        episode, states, actions = np.array(rows).T
        same = np.append(episode[1:] == episode[:-1], False)
        return Decisions(
            inputs=self._inputs(),
            x=self._shown(states),
            mask=np.ones((len(rows), 2), np.bool_),
            action=actions,
            reward=self.reward[states, actions],
            propensity=1 / self.allowed[states].sum(axis=1),
            allowed=self.allowed[states],
            groups=pa.array([f"customer {i}" for i in episode]),
            episode=episode,
            following=np.where(same, np.arange(len(rows)) + 1, -1),
            terminated=self.after[states, actions] == 0,
        )

    def states(self) -> Decisions:
        """One row for each state but the end."""
        count = len(self.reward) - 1
        return Decisions(
            inputs=self._inputs(),
            x=self._shown(np.arange(1, count + 1)),
            mask=np.ones((count, 2), np.bool_),
            action=np.zeros(count, np.int64),
            reward=np.zeros(count),
            propensity=np.ones(count),
            allowed=self.allowed[1:],
            groups=pa.array(["nobody"] * count),
            episode=np.arange(count),
            following=np.full(count, -1),
            terminated=np.ones(count, np.bool_),
        )


def world(seed: int = 0) -> World:
    """Eight states, three actions; in state 2 the first is not allowed."""
    rng = np.random.default_rng(seed)
    after, reward = rng.integers(0, 8, (8, 3)), rng.integers(-2, 4, (8, 3)).astype(np.float64)
    allowed = np.ones((8, 3), np.bool_)
    allowed[2, 0] = False
    return World(reward, after, allowed)


def head(kind: str, log: Decisions, *, learner: dict[str, Any] | None = None, **settings: Any) -> DecisionHeadSpec:
    """A small head for this log's inputs and actions, as training fills it in."""
    columns = EPISODES if settings.get("gamma") else DECISIONS
    steps = {"device": "cpu", **(learner or {})}
    spec = discover("head")[kind].model_validate({**columns, "hidden": 32, "learner": steps, **settings})
    assert isinstance(spec, DecisionHeadSpec)
    names = pa.array([f"action {i}" for i in range(log.allowed.shape[1])])
    return spec.with_actions(names, WeightedSumSpec(dim=16, inputs=log.inputs))
