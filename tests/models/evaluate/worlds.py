"""Worlds in which any policy's true value is known, and logs of another policy in them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from models.arrow import Int64
from models.evaluate.logged import Float64, Logged
from models.evaluate.seen import Seen

ACTIONS = 3
STATES, STEPS = 4, 5  # of the world with episodes
GAMMA = 0.9


def softmax(scores: Float64) -> Float64:
    """Rows that sum to 1."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: Float64 = raised / raised.sum(axis=-1, keepdims=True)
    return found


_WEIGHTS = np.random.default_rng(7)
REWARD = 1.5 * _WEIGHTS.standard_normal((2, ACTIONS))
BEHAVIOUR = 0.5 * _WEIGHTS.standard_normal((2, ACTIONS))


def rewards_of(x: Float64) -> Float64:
    """`[n, A]` expected rewards."""
    found: Float64 = 1.0 + x @ REWARD
    return found


def judged(x: Float64) -> Float64:
    """`[n, A]` the policy that is judged: mostly the best action."""
    return softmax(rewards_of(x))


@cache
def true_value() -> float:
    """The judged policy's value: of a million rows, right to 0.002."""
    x = np.random.default_rng(8).standard_normal((1_000_000, 2))
    return float((judged(x) * rewards_of(x)).sum(axis=1).mean())


def seen(rows: int, seed: int) -> Seen:
    """A log of 2 rows per customer, with what a model may learn rewards and actions from."""
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.standard_normal((rows // 2, 2)), 2, axis=0)
    behaviour = softmax(x @ BEHAVIOUR)
    action = drawn(behaviour, rng)
    index = np.arange(rows)
    reward = rewards_of(x)[index, action] + 0.5 * rng.standard_normal(rows)
    groups = pa.array([f"c{row // 2}" for row in range(rows)])
    allowed = np.ones((rows, ACTIONS), np.bool_)
    logged = Logged(action, reward, behaviour[index, action], judged(x), groups, allowed, rewards_of(x))
    return Seen(logged, x)


def world(rows: int, seed: int) -> Logged:
    """A log of 2 rows per customer, with the right model of rewards."""
    return seen(rows, seed).logged


def drawn(policy: Float64, rng: np.random.Generator) -> Int64:
    """`[n]` an action of every row."""
    action: Int64 = (policy.cumsum(axis=1) < rng.random((len(policy), 1))).sum(axis=1)
    return action


_MDP = np.random.default_rng(3)
MOVES = softmax(2.0 * _MDP.standard_normal((STATES, ACTIONS, STATES)))
"""`[S, A, S]` where an action leads."""
GAINS = _MDP.standard_normal((STATES, ACTIONS)) + 1.0
"""`[S, A]` mean rewards."""
ENDS = 0.1  # chance that an episode ends after a decision; after 5 it does
LOGGING = softmax(0.5 * _MDP.standard_normal((STATES, ACTIONS)))
"""`[S, A]` the policy that logs."""
TARGET = softmax(np.log(LOGGING) + 0.6 * GAINS)
"""`[S, A]` the policy that is judged."""


def action_values(policy: Float64) -> Float64:
    """`[T, S, A]` exact: Q_t = r + γ (1 − ends) Σ_s' P(s') Σ_a π(a|s') Q_{t+1}(s', a)."""
    values = np.zeros((STEPS + 1, STATES, ACTIONS))
    for step in reversed(range(STEPS)):
        after = (policy * values[step + 1]).sum(axis=1)  # [S]
        values[step] = GAINS + GAMMA * (1 - ENDS) * MOVES @ after
    return values[:STEPS]


def episode_value(policy: Float64) -> float:
    """Exact, where first states are uniform."""
    return float((policy * action_values(policy)[0]).sum(axis=1).mean())


def episodes(count: int, seed: int, *, per_group: int = 1) -> Seen:
    """Episodes of up to 5 decisions; features tell state and step; the model is right."""
    rng = np.random.default_rng(seed)
    state, action = np.zeros((2, count, STEPS), np.int64)
    reward, alive = np.zeros((count, STEPS)), np.ones((count, STEPS + 1), np.bool_)
    state[:, 0] = rng.integers(STATES, size=count)
    for step in range(STEPS):
        action[:, step] = drawn(LOGGING[state[:, step]], rng)
        here = state[:, step], action[:, step]
        reward[:, step] = GAINS[here] + 0.5 * rng.standard_normal(count)
        alive[:, step + 1] = alive[:, step] & (rng.random(count) >= ENDS)
        if step + 1 < STEPS:
            state[:, step + 1] = drawn(MOVES[here], rng)
    alive = alive[:, :STEPS]
    episode, steps = np.nonzero(alive)
    states, actions = state[alive], action[alive]
    last = np.append(episode[1:] != episode[:-1], True)
    logged = Logged(
        action=actions,
        reward=reward[alive],
        propensity=LOGGING[states, actions],
        policy=TARGET[states],
        groups=pa.array([f"p{number // per_group}" for number in episode]),
        allowed=np.ones((len(states), ACTIONS), np.bool_),
        model=action_values(TARGET)[steps, states],
        following=np.where(last, -1, np.arange(len(states)) + 1),
        complete=np.ones(len(states), np.bool_),
        gamma=GAMMA,
    )
    return Seen(logged, np.eye(STATES * STEPS)[steps * STATES + states])


COLUMNS = 20  # of the world with many


def _directions(actions: int, uneven: float) -> tuple[Float64, Float64]:
    """`[F, A]` of the logging policy and of rewards."""
    rng = np.random.default_rng(11)
    logging, rewards = rng.standard_normal((2, COLUMNS, actions)) * 2 / np.sqrt(COLUMNS)
    return uneven * logging, rewards


def _nearly_greedy(x: Float64, actions: int, uneven: float) -> Float64:
    """`[n, A]`: the best action, but for 5 %; what the log prefers sways it a little."""
    logging, rewards = _directions(actions, uneven)
    best = (x @ (rewards + 0.3 * logging)).argmax(axis=1)
    policy: Float64 = 0.05 / actions + 0.95 * np.eye(actions)[best]
    return policy


def wide(rows: int, seed: int, *, actions: int = 4, uneven: float = 0.5) -> Seen:
    """A decision per customer, 20 columns, and a policy that is nearly greedy: weights of 0 and far above 1.

    Args:
        rows: how many.
        seed: of the log.
        actions: how many there are.
        uneven: how far the logging policy is from drawing evenly; at 1.5 some probabilities are below 0.001.
    """
    rng = np.random.default_rng(seed)
    logging, rewards = _directions(actions, uneven)
    x = rng.standard_normal((rows, COLUMNS))
    behaviour = softmax(x @ logging)
    action, index = drawn(behaviour, rng), np.arange(rows)
    logged = Logged(
        action=action,
        reward=(x @ rewards)[index, action] + rng.standard_normal(rows),
        propensity=behaviour[index, action],
        policy=_nearly_greedy(x, actions, uneven),
        groups=pa.array(index.astype(str)),
        allowed=np.ones((rows, actions), np.bool_),
    )
    return Seen(logged, x)


@cache
def wide_value(actions: int = 4, uneven: float = 0.5) -> float:
    """The policy's true value: of a million rows, right to 0.003."""
    x = np.random.default_rng(9).standard_normal((1_000_000, COLUMNS))
    return float((_nearly_greedy(x, actions, uneven) * (x @ _directions(actions, uneven)[1])).sum(axis=1).mean())
