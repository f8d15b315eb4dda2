"""Q-learning: the values of value iteration, the conservative term, warnings; fitted values of what is published."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.arrow import Bool
from models.errors import ConfigError
from models.heads._policy import Float64
from models.learn.deciding import FittedPolicy, outputs_of, policy_of, values_of
from models.learn.decisions import Decisions
from tests.models.learn.logs import World, head, single, world

GAMMA = 0.8
STILL: dict[str, Any] = {"weight_decay": 0.0, "checks": 1}
EXACT: dict[str, Any] = {"conservative": 0.0, "steps": 1500, "tau": 0.05, **STILL}


def fit(log: Decisions, *, learner: dict[str, Any] | None = None, **settings: Any) -> FittedPolicy:
    """Fit on a log; stopped on the same rows."""
    spec = head("q_learning", log, learner=learner, **settings)
    return spec.steps.build().fit(spec, None, log, log)


def preferred(fitted: FittedPolicy, states: Decisions) -> Float64:
    """`[S, A]` learned Q values in the reward's unit."""
    q = outputs_of(fitted.module, states)[:, : len(fitted.spec.actions)]
    values: Float64 = fitted.spec.reward_mean + fitted.spec.reward_scale * q.astype(np.float64)
    return values


@pytest.mark.parametrize("length", [10, 3])
def test_values_are_those_of_value_iteration(length: int) -> None:
    """Every allowed Q within 0.02 of value iteration's, also where most episodes were cut off after three steps.

    A cut-off row taken for an end would teach r instead of r + 0.8 V, with V up to 13.
    """
    known = world()
    fitted = fit(
        known.logged(4000 // length, length), gamma=GAMMA, tune_fusion=False, learner={**EXACT, "value_steps": 1}
    )
    states = known.states()
    error = np.abs(preferred(fitted, states) - known.best_values(GAMMA)[1:])
    assert error[states.allowed].max() < 0.02


def test_published_values_are_those_of_the_published_policy() -> None:
    """Of an unfinished policy, mixed with ε = 0.3: its values are within 0.02 of exact evaluation."""
    known = world()
    learner = {**EXACT, "steps": 50, "value_steps": 1000}
    fitted = fit(known.logged(400, 10), gamma=GAMMA, epsilon=0.3, learner=learner)
    states = known.states()
    policy = policy_of(fitted.spec, fitted.module, states)
    exact = known.values(np.vstack([np.full(3, 1 / 3), policy]), GAMMA)[1:]
    error = np.abs(values_of(fitted.spec, fitted.module, states) - exact)
    assert error[states.allowed].max() < 0.02


def two_armed(rows: int) -> Decisions:
    """One state; action 1 was taken once in ten and brought 1.2, action 0 brought 1."""
    action = (np.arange(rows) % 10 == 0).astype(np.int64)
    return Decisions(
        inputs={"photo": 1},
        x=np.ones((rows, 1, 1), np.float32),
        mask=np.ones((rows, 1), np.bool_),
        action=action,
        reward=np.where(action == 1, 1.2, 1.0),
        propensity=np.where(action == 1, 0.1, 0.9),
        allowed=np.ones((rows, 2), np.bool_),
        groups=pa.array([f"customer {i}" for i in range(rows)]),
        episode=np.arange(rows),
        following=np.full(rows, -1),
        terminated=np.ones(rows, np.bool_),
    )


@pytest.mark.parametrize(("conservative", "preferred_action"), [(0.0, 1), (1.0, 0)])
def test_the_conservative_term_prefers_what_is_well_known(conservative: float, preferred_action: int) -> None:
    """Action 1 is better by 0.2, and seldom seen: α = 1 makes the head prefer action 0. Both are where the optimum is.

    Rewards have mean 1.02 and standard deviation 0.06: −1/3 and 3 in that unit. The gradient of
    Σ_a p_a (q_a − z_a)²/2 + α (log Σ_a e^q_a − Σ_a p_a q_a) is p_a (q_a − z_a) + α (softmax_a − p_a).
    """
    fitted = fit(
        two_armed(200),
        learner={"conservative": conservative, "steps": 400, "batch_rows": 1024, "value_steps": 1, **STILL},
    )
    q = outputs_of(fitted.module, two_armed(1))[0, :2].astype(np.float64)
    shares, standardized = np.array([0.9, 0.1]), np.array([-1 / 3, 3])
    gradient = shares * (q - standardized) + conservative * (np.exp(q) / np.exp(q).sum() - shares)
    assert np.abs(gradient).max() < 0.01
    assert q.argmax() == preferred_action


def test_a_seldom_seen_reward_moves_values_as_it_should() -> None:
    """Single decisions are a regression: the value of action 0 is its mean reward, 1, and of action 1 it is 1.2."""
    fitted = fit(two_armed(200), learner={"steps": 1, "value_steps": 300, **STILL})
    assert values_of(fitted.spec, fitted.module, two_armed(1))[0].tolist() == pytest.approx([1.0, 1.2], abs=0.005)


def test_what_is_not_known_is_not_learned_from() -> None:
    """Rows without an action, a reward or permission would say the opposite, and change not one bit."""
    log = single(300).log
    wrong = log.reward - 100 * (log.action == 0)
    spoiled = replace(
        log,
        reward=np.where(np.arange(300) % 3 == 0, np.nan, wrong),
        action=np.where(np.arange(300) % 3 == 1, -1, log.action),
        allowed=log.allowed & (np.arange(300) % 3 != 2)[:, None],
    )
    whole = fit(log, learner={"steps": 5, "value_steps": 5})
    both = Decisions(
        inputs=log.inputs,
        x=np.concatenate([log.x, spoiled.x]),
        mask=np.concatenate([log.mask, spoiled.mask]),
        action=np.concatenate([log.action, spoiled.action]),
        reward=np.concatenate([log.reward, spoiled.reward]),
        propensity=np.concatenate([log.propensity, spoiled.propensity]),
        allowed=np.concatenate([log.allowed, spoiled.allowed]),
        groups=pa.concat_arrays([log.groups, spoiled.groups]),
        episode=np.arange(600),
        following=np.full(600, -1),
        terminated=np.ones(600, np.bool_),
    )
    spec = head("q_learning", log, learner={"steps": 5, "value_steps": 5})
    fitted = spec.steps.build().fit(spec, whole.module.fusion, both, log)
    alone = spec.steps.build().fit(spec, whole.module.fusion, log, log)
    for ours, theirs in zip(fitted.module.parameters(), alone.module.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_log_that_teaches_nothing_is_refused() -> None:
    """The message names the columns."""
    log = replace(single(20).log, reward=np.full(20, np.nan))
    with pytest.raises(
        ConfigError, match="action 'offer' that was allowed and a reward 'revenue'; got none in 20 rows"
    ):
        fit(log)


def test_rewards_that_are_all_the_same_are_learned() -> None:
    """Without any deviation the unit is 1, and every action is worth the mean."""
    log = replace(single(50).log, reward=np.full(50, 3.0))
    fitted = fit(log, learner={"steps": 5, "value_steps": 5})
    assert fitted.spec.reward_scale == 1
    np.testing.assert_allclose(values_of(fitted.spec, fitted.module, log), 3.0, atol=0.05)


def ended(log: Decisions) -> Bool:
    """`[N]` rows of the episodes that were not cut off."""
    found: Bool = np.bincount(log.episode, log.terminated)[log.episode] > 0
    return found


def test_cut_off_episodes_need_as_many_backups_as_count(caplog: pytest.LogCaptureFixture) -> None:
    """γ = 0.8: values come from 15 decisions ahead, however short the logged episodes are; 10 backups are too few."""
    with caplog.at_level(logging.WARNING):
        fit(world().logged(30, 5), gamma=GAMMA, learner={"steps": 20, "tau": 0.5, "value_steps": 1})
    assert "make 10 backups; values come from 15 decisions ahead" in caplog.text


@pytest.mark.parametrize(("tau", "warned"), [(0.1, True), (0.5, False)])
def test_too_few_backups_are_said(tau: float, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    """20 steps of τ = 0.1 carry a value over 2 decisions of 5; of τ = 0.5 over 10. Cut-off episodes need 3/(1 − γ)."""
    log = world().logged(30, 5)
    log = log.take(np.flatnonzero(ended(log)))
    with caplog.at_level(logging.WARNING):
        fit(log, gamma=GAMMA, learner={"steps": 20, "tau": tau, "value_steps": 20, "value_tau": 0.5})
    assert ("q_learning: 20 steps whose target takes over 0.1 each make 2 backups" in caplog.text) == warned
    assert "fitted evaluation" not in caplog.text


def test_the_history_tells_what_the_policy_was_worth() -> None:
    """Four checks; on validation rows the last policy is worth about what it really is, and more than the first."""
    known = single(1000)
    fitted = fit(known.log, learner={"steps": 200, "checks": 4, "value_steps": 1})
    assert [check.step for check in fitted.history] == [50, 100, 150, 200]
    values = [check.value for check in fitted.history]
    assert all(value is not None for value in values)
    truth = known.value(policy_of(fitted.spec, fitted.module, known.log))
    assert values[-1] == pytest.approx(truth, abs=0.1)


def test_without_propensities_the_last_policy_counts() -> None:
    """Nothing is judged, nothing fails."""
    log = replace(single(100).log, propensity=np.full(100, np.nan))
    fitted = fit(log, learner={"steps": 8, "checks": 2, "value_steps": 4})
    assert [check.value for check in fitted.history] == [None, None]


def test_a_loss_that_is_not_finite_is_refused() -> None:
    """The message names the setting that helps."""
    with pytest.raises(ConfigError, match="learning_rate must be small enough"):
        fit(world().logged(30, 5), gamma=GAMMA, learner={"learning_rate": 1e30, "steps": 20})


def test_world_is_what_it_says() -> None:
    """A reward of 1 in state 1 and then the end: worth 1; a step away from it 0.5."""
    known = World(np.array([[0.0], [1.0], [0.0]]), np.array([[0], [0], [1]]), np.ones((3, 1), np.bool_))
    assert known.best_values(0.5)[:, 0].tolist() == [0, 1, 0.5]
