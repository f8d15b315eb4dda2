"""Policy gradient: the losses of known numbers, cross-fitting, passes; and what it needs of a log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.errors import ConfigError
from models.learn.acting import ClippedActor, DoublyRobustActor, _cross_fitted
from models.learn.deciding import ALONE, FittedPolicy, policy_of
from models.learn.decisions import Decisions
from models.learn.inputs import Branch
from models.learn.policy_gradient import PolicyGradientSpec
from models.learn.preparing import Prepared, prepare
from tests.models.learn.logs import head, single, world


def fit(log: Decisions, *, learner: dict[str, Any] | None = None, **settings: Any) -> FittedPolicy:
    """Fit on a log; stopped on the same rows."""
    spec = head("policy_gradient", log, learner=learner, **settings)
    return spec.steps.build().fit(spec, None, log, log)


def log(**changed: Any) -> Decisions:
    """Two rows, two actions: action 0 brought 3, action 1 brought 1; so the mean is 2 and the deviation 1."""
    rows = Decisions(
        inputs={"photo": 1},
        x=np.ones((2, 1, 1), np.float32),
        mask=np.ones((2, 1), np.bool_),
        action=np.array([0, 1]),
        reward=np.array([3.0, 1.0]),
        propensity=np.array([0.25, 0.5]),
        allowed=np.ones((2, 2), np.bool_),
        groups=pa.array(["a", "b"]),
        episode=np.arange(2),
        following=np.full(2, -1),
        terminated=np.ones(2, np.bool_),
    )
    return replace(rows, **changed)


def prepared(rows: Decisions, **settings: Any) -> Prepared:
    """A head with fixed fused vectors, about to be trained; it prefers nothing yet."""
    spec = head("policy_gradient", rows, tune_fusion=False, **{"epsilon": 0.0, **settings})
    return prepare(spec, None, rows, rows, None, ALONE)


def branch(of: Prepared, difference: float = 0.0) -> Branch:
    """Prefers action 0 by `difference` everywhere."""
    last = len(list(of.module.preferences.children())) - 1
    with torch.no_grad():
        of.module.preferences.get_parameter(f"{last}.bias").copy_(torch.tensor([difference, 0.0]))
    return of.branch(of.module.preferences)


def loss(of: DoublyRobustActor | ClippedActor, row: int) -> float:
    """The loss of one row."""
    return of.loss(torch.tensor([row]), torch.zeros(1, 0)).item()


def robust(of: Prepared, difference: float = 0.0, **settings: Any) -> DoublyRobustActor:
    """With a model that expects 0.5 and −1 of row 0, in standard deviations."""
    model = np.array([[0.5, -1.0], [0.0, 0.0]])
    return DoublyRobustActor(of, branch(of, difference), PolicyGradientSpec(entropy=0.0, **settings), model)


def test_the_loss_is_the_negative_doubly_robust_value() -> None:
    """Row 0, even policy: 0.5/2 − 1/2 + (0.5/0.25) (1 − 0.5) = 0.75."""
    assert loss(robust(prepared(log())), 0) == pytest.approx(-0.75)


def test_weights_are_clipped() -> None:
    """At most 1: 0.5/2 − 1/2 + 1 · (1 − 0.5) = 0.25."""
    assert loss(robust(prepared(log()), weight_clip=1.0), 0) == pytest.approx(-0.25)


def test_the_policy_that_is_climbed_is_the_published_one() -> None:
    """ε = 1 leaves nothing to the preferences: 0.75 as for an even policy, though action 0 is preferred by 5."""
    assert loss(robust(prepared(log(), epsilon=1.0), difference=5.0), 0) == pytest.approx(-0.75)


def test_what_is_not_allowed_has_no_probability() -> None:
    """Action 0 alone is allowed: 0.5 + (1/0.25) (1 − 0.5) = 2.5."""
    rows = log(allowed=np.array([[True, False], [True, True]]))
    assert loss(robust(prepared(rows)), 0) == pytest.approx(-2.5)


def test_entropy_is_rewarded() -> None:
    """An even policy over two actions has log 2 nats."""
    of = prepared(log())
    actor = DoublyRobustActor(of, branch(of), PolicyGradientSpec(entropy=0.5), np.zeros((2, 2)))
    assert loss(actor, 1) == pytest.approx(0.5 / 0.5 * 1 - 0.5 * np.log(2))


def clipped(of: Prepared, difference: float) -> ClippedActor:
    """The last policy was even; of row 0 values are 3 and 1, of row 1 −1 and 1: advantages of 1, and 1."""
    values = np.array([[3.0, 1.0], [-1.0, 1.0]])
    spec = PolicyGradientSpec(entropy=0.0, ratio_clip=0.2)
    return ClippedActor(of, branch(of, difference), spec, np.full((2, 2), 0.5), values)


def test_a_pass_climbs_the_advantage_of_what_was_taken() -> None:
    """Nothing moved yet: ratio 1, advantage 1, weight min(0.5/0.25, 1) = 1; the same for row 1."""
    of = prepared(log())
    assert [loss(clipped(of, 0.0), row) for row in (0, 1)] == pytest.approx([-1, -1])


def test_a_pass_gains_nothing_beyond_its_ratio() -> None:
    """Preferred by log 4: π = 0.8, ratio 1.6, of which 1.2 counts. Row 1's 0.4 counts whole: it is a loss."""
    actor = clipped(prepared(log()), float(np.log(4)))
    assert [loss(actor, row) for row in (0, 1)] == pytest.approx([-1.2, -0.4])


def test_decisions_are_weighted_at_most_once() -> None:
    """π_last/b = 0.5/0.8: a decision that the log takes more often than the policy counts less."""
    assert loss(clipped(prepared(log(propensity=np.array([0.8, 0.5]))), 0.0), 0) == pytest.approx(-0.625)


def test_models_have_not_seen_the_groups_that_they_are_used_for() -> None:
    """Rewards tell the group; a model that had seen a row's group would know them, one that has not cannot.

    Customer i's reward is ±10 by chance and stands in its embedding as a number of its own.
    """
    rng = np.random.default_rng(0)
    rows, lots = single(200, per_group=5), np.repeat(rng.choice([-10.0, 10.0], 40), 5)
    own = np.zeros((200, 1, 40), np.float32)
    own[np.arange(200), 0, np.arange(200) // 5] = 1
    told = replace(rows.log, x=own, mask=np.ones((200, 1), np.bool_), inputs={"photo": 40}, reward=lots)
    of = prepared(told, learner={"value_steps": 100, "checks": 1, "learning_rate": 1e-2})
    assert isinstance(of.spec.steps, PolicyGradientSpec)
    model, _ = _cross_fitted(of, of.spec.steps)
    expected = model[np.arange(200), told.action]
    assert abs(np.corrcoef(expected, lots)[0, 1]) < 0.3
    seen = np.corrcoef(of.inputs.outputs(branch_of_all(of))[np.arange(200), told.action], lots)[0, 1]
    assert seen > 0.9


def branch_of_all(of: Prepared) -> Branch:
    """A model that has seen every row."""
    from models.learn.values import Backups, Evaluation

    made = of.apart("all")
    evaluation = Evaluation(of, made, of.inputs, of.seen, Backups.of(of))
    evaluation.follow("all", np.zeros((200, 3)), 100)
    return made


def test_one_group_is_too_few_for_cross_fitting() -> None:
    """There are no other groups to learn a model from."""
    rows = replace(single(20).log, groups=pa.array(["one"] * 20))
    with pytest.raises(ConfigError, match="at least 2 groups"):
        fit(rows, learner={"value_steps": 2, "steps": 2})


def test_a_log_without_propensities_is_refused() -> None:
    """The message says which head can learn from it."""
    rows = replace(single(20).log, propensity=np.full(20, np.nan))
    with pytest.raises(ConfigError, match="got none in 20 rows; q_learning needs no propensities"):
        fit(rows)


def test_episodes_are_learned_in_passes() -> None:
    """Two thirds of the way or more from the even policy to the best in a small world; a check after each pass."""
    known = world()
    fitted = fit(known.logged(300, 10), gamma=0.8, epsilon=0.0, learner={"steps": 600, "passes": 6, "value_steps": 400})
    policy = policy_of(fitted.spec, fitted.module, known.states())
    value = (policy * known.values(np.vstack([np.full(3, 1 / 3), policy]), 0.8)[1:]).sum(axis=1).mean()
    even = np.where(known.allowed, 1 / known.allowed.sum(axis=1, keepdims=True), 0.0)
    logged = (even * known.values(even, 0.8)).sum(axis=1)[1:].mean()
    best = np.where(known.allowed, known.best_values(0.8), -np.inf).max(axis=1)[1:].mean()
    assert (value - logged) / (best - logged) > 2 / 3
    assert [check.step for check in fitted.history] == [100, 200, 300, 400, 500, 600]
