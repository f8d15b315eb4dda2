"""Logs of which nothing can be said: each is refused by its own reason, and sound ones are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from models.evaluate.behaviour import BehaviourModel
from models.evaluate.logged import Logged
from models.evaluate.refusals import refusals
from models.evaluate.seen import Seen
from tests.models.evaluate.worlds import ACTIONS, BEHAVIOUR, drawn, episodes, seen, softmax, world

Breakage = Callable[[Logged, np.random.Generator], Logged]


def modelled(log: Seen) -> Logged:
    """The log with modelled probabilities, as it is judged."""
    return replace(log.logged, behaviour=BehaviourModel(folds=2)(log.logged, log.features))


def _missing(logged: Logged, rng: np.random.Generator) -> Logged:
    return replace(logged, propensity=np.where(rng.random(len(logged)) < 0.01, np.nan, logged.propensity))


def _zero(logged: Logged, rng: np.random.Generator) -> Logged:
    return replace(logged, propensity=np.where(rng.random(len(logged)) < 0.01, 0.0, logged.propensity))


def _over_one(logged: Logged, rng: np.random.Generator) -> Logged:
    return replace(logged, propensity=np.where(rng.random(len(logged)) < 0.01, 1.5, logged.propensity))


def _all_equal(logged: Logged, _rng: np.random.Generator) -> Logged:
    return replace(logged, propensity=np.full(len(logged), 1 / ACTIONS))


def _shuffled(logged: Logged, rng: np.random.Generator) -> Logged:
    rows = np.flatnonzero(rng.random(len(logged)) < 2 / 3)
    propensity = logged.propensity.copy()
    propensity[rows] = propensity[rng.permutation(rows)]
    return replace(logged, propensity=propensity)


def _doubled(logged: Logged, _rng: np.random.Generator) -> Logged:
    return replace(logged, propensity=np.minimum(2 * logged.propensity, 1.0))


def _deterministic(logged: Logged, _rng: np.random.Generator) -> Logged:
    return replace(logged, propensity=np.ones(len(logged)))


def _never_tried(logged: Logged, _rng: np.random.Generator) -> Logged:
    return logged.take(np.flatnonzero(logged.action != 1))


def _few_rows(logged: Logged, _rng: np.random.Generator) -> Logged:
    return logged.take(np.arange(60))


def _few_groups(logged: Logged, _rng: np.random.Generator) -> Logged:
    return replace(logged, groups=pa.array([f"g{row % 10}" for row in range(len(logged))]))


def _one_heavy_row(logged: Logged, _rng: np.random.Generator) -> Logged:
    # All weights are 1 but for one of 500: 500 / (3,999 + 500) = 11.1 % of all.
    uniform = np.full(logged.policy.shape, 1 / ACTIONS)
    propensity = np.where(np.arange(len(logged)) == 0, 1 / ACTIONS / 500, 1 / ACTIONS)
    return replace(logged, propensity=propensity, policy=uniform)


def _barred(logged: Logged, _rng: np.random.Generator) -> Logged:
    allowed = logged.allowed.copy()
    allowed[7, logged.action[7]] = False
    policy = np.where(allowed, logged.policy, 0.0)
    return replace(logged, allowed=allowed, policy=policy / policy.sum(axis=1, keepdims=True))


def _chooses_barred(logged: Logged, _rng: np.random.Generator) -> Logged:
    allowed = np.ones_like(logged.allowed)
    allowed[logged.action != 2, 2] = False
    return replace(logged, allowed=allowed)


def _no_rewards(logged: Logged, _rng: np.random.Generator) -> Logged:
    return replace(logged, reward=np.where(np.arange(len(logged)) == 3, np.nan, logged.reward))


def _nothing(logged: Logged, _rng: np.random.Generator) -> Logged:
    return logged.take(np.arange(0))


BROKEN: list[tuple[Breakage, str]] = [
    (_missing, "propensities must be known"),
    (_zero, r"propensities must lie in \(0, 1\]"),
    (_over_one, r"propensities must lie in \(0, 1\]"),
    (_all_equal, r"actions were drawn; got 0\.333 in every row, though not all actions were as likely"),
    (_shuffled, "another row, position or policy"),
    (_doubled, "they are too large"),
    (_deterministic, "actions drawn at random"),
    (_never_tried, "the policy must choose actions that the log holds"),
    (_few_rows, "must be worth at least 100 decisions"),
    (_few_groups, "at least 20 groups"),
    (_one_heavy_row, r"may carry more than 10% of all weight; got one with 11\.1% \(weight 500\)"),
    (_barred, "actions must be among those allowed in their row; got others in 1 of"),
    (_chooses_barred, "the policy must choose among the actions that are allowed"),
    (_no_rewards, "rewards must be numbers; got none in 1 of"),
    (_nothing, "the log must hold decisions"),
]


@pytest.mark.parametrize(("broken", "reason"), BROKEN, ids=[broken.__name__ for broken, _ in BROKEN])
def test_a_broken_log_is_refused(broken: Breakage, reason: str) -> None:
    """Each of them by its reason."""
    found = refusals(broken(modelled(seen(4000, 5)), np.random.default_rng(0)))

    assert any(re.search(reason, one) for one in found), found


@pytest.mark.parametrize("broken", [broken for broken, _ in BROKEN], ids=lambda broken: broken.__name__)
def test_a_broken_log_is_refused_without_a_model_too(broken: Breakage) -> None:
    """Though not always by the reason that says most."""
    assert refusals(broken(world(4000, 5), np.random.default_rng(0)))


def test_choices_that_were_never_tried_somewhere_are_noticed() -> None:
    """Every fourth customer could get action 2 but never did; the rest is right: mean w lacks what π chooses there."""
    log = seen(4000, 6)
    behaviour = softmax(log.features @ BEHAVIOUR)
    behaviour[np.arange(4000) // 2 % 4 == 0, 2] = 0
    behaviour /= behaviour.sum(axis=1, keepdims=True)
    action = drawn(behaviour, np.random.default_rng(1))
    logged = replace(log.logged, action=action, propensity=behaviour[np.arange(4000), action])

    propensities, weights = refusals(modelled(replace(log, logged=logged)))

    assert "what was allowed was sometimes never tried" in propensities
    assert "weights must be 1 on average; got 0.9" in weights


def test_what_is_said_to_be_ruled_out_is_not_missed() -> None:
    """The same log, with that action not allowed to these customers and never chosen for them."""
    log = seen(4000, 6)
    allowed = log.logged.allowed.copy()
    allowed[np.arange(4000) // 2 % 4 == 0, 2] = False
    behaviour, policy = (np.where(allowed, p, 0.0) for p in (softmax(log.features @ BEHAVIOUR), log.logged.policy))
    behaviour, policy = (p / p.sum(axis=1, keepdims=True) for p in (behaviour, policy))
    action = drawn(behaviour, np.random.default_rng(1))
    propensity = behaviour[np.arange(4000), action]
    logged = replace(log.logged, action=action, propensity=propensity, policy=policy, allowed=allowed)

    assert refusals(modelled(replace(log, logged=logged))) == []


def test_sound_logs_are_not_refused() -> None:
    """In 60 sound logs of single decisions and 20 of episodes no check fires, with a model of the log or without."""
    single = [seen(800, 100 + seed) for seed in range(60)]
    logs = [*single, *(episodes(300, 100 + seed) for seed in range(20))]

    assert [why for log in logs for why in refusals(log.logged)] == []
    assert [why for log in logs for why in refusals(modelled(log))] == []


def test_uniform_propensities_of_a_uniform_policy_are_sound() -> None:
    """All equal is right where actions were drawn so."""
    log = seen(4000, 9)
    action = np.random.default_rng(0).integers(ACTIONS, size=4000)
    logged = replace(log.logged, action=action, propensity=np.full(4000, 1 / ACTIONS))

    assert refusals(modelled(replace(log, logged=logged))) == []


def test_shuffled_propensities_are_noticed_where_every_action_is_as_frequent() -> None:
    """Shares of actions tell nothing there; that propensities do not belong to their rows does."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 2))
    behaviour = softmax(np.stack([x[:, 0], -x[:, 0]], axis=1))
    action = drawn(behaviour, rng)
    logged = Logged(
        action=action,
        reward=rng.standard_normal(3000),
        propensity=behaviour[np.arange(3000), action],
        policy=np.full((3000, 2), 0.5),
        groups=pa.array(np.arange(3000).astype(str)),
        allowed=np.ones((3000, 2), np.bool_),
    )
    sound = modelled(Seen(logged, x))

    found = refusals(_shuffled(sound, rng))

    assert refusals(sound) == []
    assert any("for what a model expects" in one for one in found), found
