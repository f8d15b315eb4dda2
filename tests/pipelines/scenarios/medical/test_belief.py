"""Exact probabilities of the diagnoses."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.medical.belief import log_beliefs, with_tests
from pipelines.scenarios.medical.course import admitted
from pipelines.scenarios.medical.world import DIAGNOSES, MEANS, PRIOR, SIGNS, TESTS, WORLD, signs
from pipelines.scenarios.quadratic import softmax


def test_signs_have_mean_zero_and_variance_one() -> None:
    """Over all patients, as the views' standardization takes for granted; of 4,000: three standard errors."""
    patients = admitted(0, np.arange(4_000))
    np.testing.assert_allclose(patients.hidden.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(patients.hidden.var(axis=0), 1, atol=0.07)
    np.testing.assert_allclose(PRIOR @ MEANS, 0, atol=1e-12)


def test_nothing_seen_leaves_the_prior() -> None:
    """Where a modality is absent it says nothing."""
    views = {"scan": np.array([[3.0, 3.0]])}
    absent = {"scan": np.array([False])}
    np.testing.assert_allclose(softmax(log_beliefs(views, absent, ["scan"])), [PRIOR])


def test_beliefs_agree_with_brute_force() -> None:
    """They equal the shares of the diagnoses among 400,000 patients, weighted by the likelihood of the views."""
    rng = np.random.default_rng(0)
    diagnosis = rng.choice(len(DIAGNOSES), 400_000, p=PRIOR)
    hidden = signs(diagnosis, rng.standard_normal((400_000, len(WORLD.names))))
    views = {"note": np.array([[0.8, -0.4, 0.3]]), "breath": np.array([[0.9, -0.2]])}  # both show wheeze
    weight = np.ones(len(hidden))
    for name, view in views.items():
        distance = (hidden[:, WORLD.columns(name)] - view) / WORLD.noises(name)
        weight *= np.exp(-0.5 * (distance**2).sum(axis=1))
    expected = np.bincount(diagnosis, weight) / weight.sum()
    present = {name: np.array([True]) for name in views}
    found = softmax(log_beliefs(views, present, list(views)))[0]
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_test_counts_once_it_is_done() -> None:
    """Odds change by the ratio of the densities of its result, N(μ_D, σ²), and not before it is done."""
    before, found = np.log(np.full((1, 4), 0.25)), np.array([[0.5, 0.0, 0.0, 0.0]])
    none, first = np.zeros((1, 4), np.bool_), np.array([[True, False, False, False]])
    np.testing.assert_array_equal(with_tests(before, found, none), before)
    means = MEANS[:, len(SIGNS)]
    variance = 1 - 0.45  # of the results among patients with one diagnosis
    density = np.exp(-((0.5 - means) ** 2) / (2 * variance))
    np.testing.assert_allclose(softmax(with_tests(before, found, first))[0], density / density.sum())


def test_beliefs_are_calibrated() -> None:
    """Of the diagnoses that are believed with a probability near p, a share p is right."""
    patients = admitted(1, np.arange(4_000))
    chances, right = softmax(patients.log_belief()), np.eye(4)[patients.diagnosis] == 1
    for low in (0.05, 0.3, 0.6):
        near = (chances > low) & (chances < low + 0.2)
        error = 4 * 0.5 / np.sqrt(near.sum())
        assert right[near].mean() == pytest.approx(chances[near].mean(), abs=error)


def test_more_tests_are_known_better() -> None:
    """With every test the diagnosis is right more often than without, and never for sure."""
    patients = admitted(2, np.arange(2_000))
    shares = []
    for done in (False, True):
        known = with_tests(patients.log_belief(), patients.found, np.full((2_000, len(TESTS)), done))
        shares.append((known.argmax(axis=1) == patients.diagnosis).mean())
    assert 0.8 < shares[0] < shares[1] < 0.99
