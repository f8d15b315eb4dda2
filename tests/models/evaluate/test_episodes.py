"""Off-policy estimates of episodes: by hand, against the recursion, and in a world whose values are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from models.evaluate.doubly_robust import DoublyRobustSpec
from models.evaluate.estimates import EstimatorSpec
from models.evaluate.fitted_q import FittedQSpec
from models.evaluate.ips import IpsSpec
from models.evaluate.logged import Float64, Logged
from models.evaluate.per_decision import PerDecisionSpec
from models.evaluate.reward_model import CrossFitted
from models.evaluate.snips import SnipsSpec
from models.evaluate.support import carried_weights
from models.evaluate.switch import SwitchSpec
from tests.models.evaluate.worlds import TARGET, episode_value, episodes

UNBIASED = (IpsSpec(), PerDecisionSpec(), DoublyRobustSpec(), FittedQSpec())  # the last because its model is right


def two_episodes() -> Logged:
    """A of three decisions (rows 0, 2, 3), B of one (row 1); γ = 1/2, weights w = 2, 1/2, 1, 3."""
    return Logged(
        action=np.array([0, 0, 0, 0]),
        reward=np.array([1.0, 5.0, 2.0, 4.0]),
        propensity=np.array([0.25, 1.0, 0.5, 0.25]),
        policy=np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.75, 0.25]]),
        groups=pa.array(["a", "b", "a", "a"]),
        allowed=np.ones((4, 2), np.bool_),
        model=np.array([[2.0, 4.0], [1.0, 3.0], [6.0, 2.0], [4.0, 8.0]]),
        following=np.array([2, -1, 3, -1]),
        complete=np.ones(4, np.bool_),
        gamma=0.5,
    )


def test_places_follow_the_links() -> None:
    """Rows need not stand together."""
    episode, step, starts = two_episodes().places

    assert episode.tolist() == [0, 1, 0, 0]
    assert step.tolist() == [0, 0, 1, 2]
    assert starts.tolist() == [0, 1]
    assert two_episodes().ends.tolist() == [3, 1]


def test_formulae_on_two_episodes() -> None:
    """Worked by hand. ρ: A 2, 2, 6; B 1/2. Returns: A 1 + 2/2 + 4/4 = 3; B 5. V: 3, 2, 4, 5. Residuals: A
    1 + 4/2 − 2 = 1, 2 + 5/2 − 6 = −3/2, 4 − 4 = 0; B 5 − 1 = 4."""
    logged = two_episodes()
    found = {
        spec.kind: spec.build()(logged).value
        for spec in (IpsSpec(), SnipsSpec(), PerDecisionSpec(), FittedQSpec(), DoublyRobustSpec())
    }

    assert logged.returns.tolist() == [3.0, 5.0]
    assert found["ips"] == pytest.approx((6 * 3 + 5 / 2) / 2)
    assert found["snips"] == pytest.approx((6 * 3 + 5 / 2) / 6.5)
    assert found["per_decision"] == pytest.approx((2 * 1 + 2 * 2 / 2 + 6 * 4 / 4 + 5 / 2) / 2)
    assert found["fitted_q"] == pytest.approx((3 + 2) / 2)
    assert found["doubly_robust"] == pytest.approx((3 + 2 * 1 - 2 * 1.5 / 2 + 2 + 0.5 * 4) / 2)
    assert carried_weights(logged) == pytest.approx([2 + 2 / 2 + 6 / 4, 0.5])


def test_weighted_per_decision_on_two_episodes() -> None:
    """Step 0: (2·1 + 5/2) / 2.5; step 1: (2·2/2) / (2 + 1/2), B's last ρ; step 2: (6·4/4) / (6 + 1/2)."""
    found = PerDecisionSpec(weighted=True)(two_episodes()).value

    assert found == pytest.approx(4.5 / 2.5 + 2 / 2.5 + 6 / 6.5)


def test_doubly_robust_is_the_recursion() -> None:
    """V_t = V̂ + w (r + γ V_{t+1} − q̂), computed from the ends on (Jiang & Li 2016), row by row."""
    log = episodes(50, 0).logged
    assert log.following is not None
    assert log.model is not None
    following, model = log.following, log.model + np.random.default_rng(0).standard_normal(log.model.shape)
    log = replace(log, model=model)
    value, weights, taken = log.expected, log.weights, log.taken(model)
    recursion = np.zeros(len(log) + 1)
    for row in reversed(range(len(log))):
        after = recursion[following[row]] if following[row] >= 0 else 0.0
        recursion[row] = value[row] + weights[row] * (log.reward[row] + log.gamma * after - taken[row])

    found = DoublyRobustSpec()(log)

    assert found.numerator == pytest.approx(recursion[log.places.starts])


def test_steps_whose_weight_is_too_large_are_the_models() -> None:
    """With τ = 3, A's last step (ρ = 6) counts as expected; with τ below all weights nothing is left but the model."""
    logged = replace(two_episodes(), reward=np.array([1.0, 5.0, 2.0, 7.0]))  # its residual is 3, not 0

    assert SwitchSpec(threshold=3.0)(logged).value == pytest.approx((3 + 2 * 1 - 2 * 1.5 / 2 + 2 + 0.5 * 4) / 2)
    assert SwitchSpec(threshold=0.1)(logged).value == FittedQSpec()(logged).value


def test_an_episode_that_was_cut_off_counts_with_what_is_expected() -> None:
    """A's last row as a state of which no more is known: its residual is nothing, V̂ = 5 stays in the one before."""
    logged = replace(two_episodes(), complete=np.array([True, True, True, False]), reward=np.array([1.0, 5, 2, 1e6]))

    assert DoublyRobustSpec()(logged).value == pytest.approx((3 + 2 * 1 - 2 * 1.5 / 2 + 2 + 0.5 * 4) / 2)


@pytest.mark.parametrize("spec", UNBIASED, ids=lambda spec: spec.kind)
def test_each_estimator_finds_the_true_value(spec: EstimatorSpec) -> None:
    """Over 60 logs of 500 episodes, the mean error is within three standard errors of none."""
    errors = [spec.build()(episodes(500, seed).logged).value - episode_value(TARGET) for seed in range(60)]

    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))


def test_weights_by_step_are_steadier() -> None:
    """Weighted per-decision sampling has a smaller squared error than unweighted, and that than whole trajectories."""
    logs = [episodes(500, seed).logged for seed in range(60)]
    specs = (PerDecisionSpec(weighted=True), PerDecisionSpec(), IpsSpec())

    errors = [np.mean([(spec(log).value - episode_value(TARGET)) ** 2 for log in logs]) for spec in specs]

    assert errors == sorted(errors)


def test_a_wrong_model_misleads_fitted_q_and_not_doubly_robust() -> None:
    """A model that is 1 too high everywhere."""
    logs = [replace(log, model=_plus_one(log)) for log in (episodes(500, seed).logged for seed in range(60))]

    robust = [DoublyRobustSpec()(log).value - episode_value(TARGET) for log in logs]
    direct = [FittedQSpec()(log).value - episode_value(TARGET) for log in logs]

    assert abs(np.mean(robust)) < 3 * np.std(robust) / np.sqrt(len(robust))
    assert np.mean(direct) == pytest.approx(1.0, abs=0.01)


def _plus_one(log: Logged) -> Float64:
    assert log.model is not None
    return log.model + 1


def test_fitted_values_are_those_of_the_policy() -> None:
    """From 6,000 episodes Q̂ is right to 0.05 on average; without looking ahead it would be off by more than 1."""
    log = episodes(6000, 3)

    found = CrossFitted()(replace(log.logged, model=None), log.features)

    assert log.logged.model is not None
    error = np.abs(found - log.logged.model)
    assert error.mean() < 0.05
    assert np.abs(CrossFitted()(replace(log.logged, gamma=0.0), log.features) - log.logged.model).mean() > 1


def test_rows_of_an_episode_are_taken_with_what_goes_before() -> None:
    """Without its last row, episode A ends a step earlier."""
    found = two_episodes().take(np.array([0, 1, 2]))

    assert found.following is not None
    assert found.following.tolist() == [2, -1, -1]
    assert found.returns.tolist() == [2.0, 5.0]
