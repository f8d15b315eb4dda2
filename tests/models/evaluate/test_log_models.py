"""Models of a log, of rewards and of how actions were drawn: fitted to other groups only, and right where possible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from models.evaluate.behaviour import FLOOR, BehaviourModel, estimated_propensities
from models.evaluate.folds import folds_of, standardized
from models.evaluate.logged import Behaviour
from models.evaluate.reward_model import CrossFitted
from models.evaluate.ridge import STRENGTHS, Ridge
from models.evaluate.seen import Seen
from tests.models.evaluate.worlds import BEHAVIOUR, episodes, rewards_of, seen, softmax


def test_rewards_are_found() -> None:
    """A linear world of noise 0.5 and 1,300 rows for each action: right to 0.05 on average."""
    log = seen(4000, 0)

    found = CrossFitted()(replace(log.logged, model=None), log.features)

    assert np.abs(found - rewards_of(log.features)).mean() < 0.05


def test_a_prior_is_corrected_and_kept_where_nothing_is_known() -> None:
    """An action that the log never holds keeps what was expected beforehand (within what rewards can be)."""
    log = seen(4000, 0)
    rows = np.flatnonzero(log.logged.action != 2)
    logged, features = log.logged.take(rows), log.features[rows]
    prior = np.column_stack([np.zeros((len(rows), 2)), np.full(len(rows), 1.25)])

    found = CrossFitted()(logged, features, prior)

    assert (found[:, 2] == 1.25).all()
    assert np.abs(found - rewards_of(features))[:, :2].mean() < 0.05


@pytest.mark.parametrize("log", [seen(600, 0), episodes(200, 0)], ids=["single", "episodes"])
def test_no_row_is_judged_by_its_own_group(log: Seen) -> None:
    """Other rewards of a group change what is expected of others, and nothing that is expected of its own rows."""
    names = log.logged.groups.to_numpy(zero_copy_only=False)
    own = names == names[0]
    reward = np.where(own, log.logged.reward + 2.0, log.logged.reward)

    before, after = (
        CrossFitted()(replace(log.logged, reward=rewards), log.features) for rewards in (log.logged.reward, reward)
    )

    assert np.array_equal(after[own], before[own])
    assert not np.allclose(after[~own], before[~own])


def test_actions_are_modelled_without_their_own_group() -> None:
    """Neither weights nor temperature know it."""
    log = seen(600, 0)
    names = log.logged.groups.to_numpy(zero_copy_only=False)
    own = names == names[0]
    action = np.where(own, (log.logged.action + 1) % 3, log.logged.action)

    before, after = (
        BehaviourModel()(replace(log.logged, action=taken), log.features).probabilities
        for taken in (log.logged.action, action)
    )

    assert np.array_equal(after[own], before[own])
    assert not np.allclose(after[~own], before[~own])


def test_actions_are_modelled_as_they_were_drawn() -> None:
    """4,000 rows of a policy that is a softmax of what is seen: probabilities are right to 0.02 on average."""
    log = seen(4000, 0)

    found = BehaviourModel()(log.logged, log.features).probabilities

    assert np.abs(found - softmax(log.features @ BEHAVIOUR)).mean() < 0.02
    assert found.sum(axis=1) == pytest.approx(1.0)


def test_what_is_not_allowed_has_no_probability() -> None:
    """And the others share all."""
    log = seen(1000, 0)
    allowed = log.logged.allowed.copy()
    allowed[log.logged.action != 0, 0] = False

    found = BehaviourModel()(replace(log.logged, allowed=allowed), log.features).probabilities

    assert (found[~allowed] == 0).all()
    assert found.sum(axis=1) == pytest.approx(1.0)


def test_confidence_of_many_columns_is_calibrated() -> None:
    """300 columns of noise and 600 rows: the model is not surer of itself than it may be."""
    log = seen(600, 0)
    noise = np.random.default_rng(0).standard_normal((600, 300))

    found = BehaviourModel()(log.logged, np.concatenate([log.features, noise], axis=1)).probabilities

    likelihood = np.log(log.logged.taken(found)).mean()
    assert likelihood > np.log(1 / 3) - 0.02  # of one that knows nothing


def test_estimated_propensities_have_a_floor() -> None:
    """At least 0.001 where they are a model's; as logged where they are not."""
    log = seen(4, 0).logged
    behaviour = Behaviour(np.full((4, 3), 1e-9), np.zeros(4, np.int64))
    logged = replace(log, behaviour=behaviour, propensity=np.array([np.nan, 0.5, np.nan, 1e-5]))

    assert estimated_propensities(logged).tolist() == [FLOOR, 0.5, FLOOR, 1e-5]


def test_parts_keep_groups_whole() -> None:
    """Every part has its share of groups, and no group stands in two."""
    groups = pa.array([f"g{row // 3}" for row in range(3000)])

    part = folds_of(groups, 5, 0)

    assert (part.reshape(-1, 3) == part[::3, None]).all()
    assert np.bincount(part) == pytest.approx(600, abs=120)  # 200 groups each, ± 3 standard deviations of 12.6


def test_columns_that_do_not_vary_are_left_out() -> None:
    """Nothing can be learned from them, and nothing is divided by 0."""
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.standard_normal(50), np.full(50, 1e6 + 0.1), 5 + 3 * rng.standard_normal(50)])

    found = standardized(features)

    assert found.shape == (50, 2)
    assert found.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert found.std(axis=0) == pytest.approx(1.0)


def test_ridge_is_the_closed_form() -> None:
    """(φᵀφ + λ I)⁻¹ φᵀ(y − ȳ), at the λ whose error of left-out rows, each computed without the row, is least."""
    rng = np.random.default_rng(0)
    features, target = rng.standard_normal((40, 5)), rng.standard_normal(40)
    target += features[:, 0]

    def fitted(rows: np.typing.NDArray[np.bool_], strength: float) -> tuple[np.typing.NDArray[np.float64], float]:
        # λ is that of all 40 rows also where one is left out; so is what is left out of the mean.
        center, mean = features[rows].mean(axis=0), float(target[rows].mean())
        phi = features[rows] - center
        return np.linalg.solve(phi.T @ phi + 40 * strength * np.eye(5), phi.T @ (target[rows] - mean)), mean

    errors = []
    for strength in STRENGTHS:
        error = 0.0
        for row in range(40):
            others = np.arange(40) != row
            weights, mean = fitted(others, strength)
            error += (target[row] - mean - (features[row] - features[others].mean(axis=0)) @ weights) ** 2
        errors.append(error / 40)
    weights, mean = fitted(np.ones(40, np.bool_), STRENGTHS[int(np.argmin(errors))])

    ridge = Ridge.of(features, target)

    assert ridge.solution @ target == pytest.approx(weights)
    assert ridge.fit(target)(features)[0] == pytest.approx(
        mean * 40 / 41 + (features[0] - features.mean(axis=0)) @ weights
    )


@pytest.mark.parametrize("rows", [0, 1])
def test_ridge_of_hardly_any_row(rows: int) -> None:
    """Of none, nothing is expected; of one, half of what it shows."""
    found = Ridge.of(np.ones((rows, 2)), np.full(rows, 4.0)).fit(np.full(rows, 4.0))(np.zeros((3, 2)))

    assert found.tolist() == [2.0 * rows] * 3
