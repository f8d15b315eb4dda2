"""The dynamic program."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.medical.best import value_of
from pipelines.scenarios.medical.care import BENEFITS, COSTS, GAMMA
from pipelines.scenarios.medical.course import Patients, admitted
from pipelines.scenarios.medical.planning import likelihoods, optimal_values
from pipelines.scenarios.quadratic import softmax
from pipelines.scenarios.streams import Floats

BELIEFS = np.random.default_rng(0).dirichlet(np.ones(4), 40)


def test_likelihoods_are_distributions() -> None:
    """The bins of a test have probability 1 under each diagnosis, and a test not done says nothing."""
    np.testing.assert_allclose(likelihoods(8)[:, :8].sum(axis=1), 1)
    np.testing.assert_array_equal(likelihoods(8)[:, 8], 1)


def test_a_known_diagnosis_is_treated() -> None:
    """Then a test only costs: its value is that of treating a step later, less its price."""
    values = optimal_values(np.eye(4))
    best = BENEFITS.max(axis=0)  # of each diagnosis
    np.testing.assert_allclose(values[:, :4], GAMMA * best[:, None] - COSTS)
    np.testing.assert_allclose(values[:, 4:], BENEFITS.T)


def test_a_test_of_one_bin_says_nothing() -> None:
    """With the last test's results in one bin, it is worth the best treatment of now, later and dearer."""
    done = np.array([[True, True, False, True]] * 40)
    values = optimal_values(BELIEFS, done, bins=1)
    np.testing.assert_allclose(values[:, 2], GAMMA * (BELIEFS @ BENEFITS.T).max(axis=1) - COSTS[2])
    assert np.isneginf(values[:, [0, 1, 3]]).all()


def test_the_last_test_by_hand() -> None:
    """Σ_g max_a Σ_D p_D P(g | D) R[a, D], discounted, less the price."""
    done = np.array([[False, True, True, True]])
    belief, chances = BELIEFS[:1], likelihoods(8)[0, :8]  # [8, 4]
    after = sum(((belief * chance) @ BENEFITS.T).max() for chance in chances)
    assert optimal_values(belief, done)[0, 0] == pytest.approx(GAMMA * after - COSTS[0])


def test_finer_bins_are_worth_more_and_little_more() -> None:
    """Bins that see less are worth less, and from 8 to 10 there is less to win than from 4 to 8."""
    coarse, fine, finer = (optimal_values(BELIEFS, bins=bins).max(axis=1).mean() for bins in (4, 8, 10))
    assert coarse < fine < finer
    assert finer - fine < 0.25 * (fine - coarse)


def test_the_value_is_reached_by_following_it() -> None:
    """A policy that takes the action of the largest value gets that value, in 1,500 simulated episodes."""
    patients = admitted(3, np.arange(1_500))

    def follow(now: Patients) -> Floats:
        values = optimal_values(softmax(now.log_belief()), now.done, bins=5)
        chosen: Floats = np.eye(8)[values.argmax(axis=1)]
        return chosen

    found, error = value_of(follow, patients)
    planned = optimal_values(softmax(patients.log_belief()), bins=5).max(axis=1).mean()
    # In bins of 5 the plan is 0.02 below what seeing the results themselves is worth.
    assert found == pytest.approx(planned, abs=3 * error)
    assert planned > (softmax(patients.log_belief()) @ BENEFITS.T).max(axis=1).mean() + 0.2
