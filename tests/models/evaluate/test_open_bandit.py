"""Open Bandit Pipeline's estimators (Saito et al. 2021) give the same values on its own synthetic data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from obp.dataset import SyntheticBanditDataset, linear_behavior_policy, logistic_reward_function
from obp.ope import (
    BaseOffPolicyEstimator,
    DirectMethod,
    DoublyRobust,
    InverseProbabilityWeighting,
    OffPolicyEvaluation,
    SelfNormalizedInverseProbabilityWeighting,
    SwitchDoublyRobust,
)

from models.evaluate.direct import DirectSpec
from models.evaluate.doubly_robust import DoublyRobustSpec
from models.evaluate.estimates import EstimatorSpec
from models.evaluate.ips import IpsSpec
from models.evaluate.logged import Float64, Logged
from models.evaluate.snips import SnipsSpec
from models.evaluate.switch import SwitchSpec

ROWS, ACTIONS = 5000, 8
PAIRS: list[tuple[EstimatorSpec, BaseOffPolicyEstimator]] = [
    (IpsSpec(), InverseProbabilityWeighting()),
    (SnipsSpec(), SelfNormalizedInverseProbabilityWeighting()),
    (DirectSpec(), DirectMethod()),
    (DoublyRobustSpec(), DoublyRobust()),
    (SwitchSpec(threshold=1.5), SwitchDoublyRobust(tau=1.5)),
]


class Bandit(NamedTuple):
    """Their log, a policy to be judged, and a rough model of rewards."""

    feedback: dict[str, Float64]
    policy: Float64
    model: Float64


@pytest.fixture(scope="module")
def bandit() -> Bandit:
    """Contexts of 5 numbers, binary rewards; the policy favours what truly pays, the model is off by noise."""
    world = SyntheticBanditDataset(
        n_actions=ACTIONS,
        dim_context=5,
        reward_function=logistic_reward_function,
        behavior_policy_function=linear_behavior_policy,
        random_state=12345,
    )
    feedback = world.obtain_batch_bandit_feedback(n_rounds=ROWS)
    raised = np.exp(3 * feedback["expected_reward"])
    noise = 0.1 * np.random.default_rng(0).standard_normal((ROWS, ACTIONS))
    return Bandit(feedback, raised / raised.sum(axis=1, keepdims=True), feedback["expected_reward"] + noise)


@pytest.mark.parametrize(("spec", "theirs"), PAIRS, ids=[spec.kind for spec, _ in PAIRS])
def test_values_are_theirs(bandit: Bandit, spec: EstimatorSpec, theirs: BaseOffPolicyEstimator) -> None:
    """To a millionth."""
    feedback = bandit.feedback
    logged = Logged(
        action=feedback["action"].astype(np.int64),
        reward=feedback["reward"].astype(np.float64),
        propensity=feedback["pscore"],
        policy=bandit.policy,
        groups=pa.array(range(ROWS)),
        allowed=np.ones((ROWS, ACTIONS), np.bool_),
        model=bandit.model,
    )
    evaluation = OffPolicyEvaluation(bandit_feedback=feedback, ope_estimators=[theirs])

    found = spec.build()(logged).value

    [expected] = evaluation.estimate_policy_values(
        action_dist=bandit.policy[:, :, None], estimated_rewards_by_reg_model=bandit.model[:, :, None]
    ).values()
    assert found == pytest.approx(expected, abs=1e-6)
    assert expected != pytest.approx(feedback["reward"].mean(), abs=1e-3)  # the policies differ, so weights matter
