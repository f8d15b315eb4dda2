"""Off-policy estimates of a policy whose true value is known, and the logs from which nothing can be said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from models.evaluate.direct import DirectSpec
from models.evaluate.doubly_robust import DoublyRobustSpec
from models.evaluate.estimates import EstimatorSpec, Terms, by_group, estimate, influence, mean_of
from models.evaluate.ips import IpsSpec
from models.evaluate.logged import Logged
from models.evaluate.snips import SnipsSpec
from models.evaluate.support import Support
from models.evaluate.switch import SwitchSpec
from tests.models.evaluate.worlds import true_value, world

ESTIMATORS = (IpsSpec(), SnipsSpec(), DirectSpec(), DoublyRobustSpec(), SwitchSpec())


@pytest.mark.parametrize("spec", ESTIMATORS, ids=lambda spec: spec.kind)
def test_each_estimator_finds_the_true_value(spec: EstimatorSpec) -> None:
    """Over 40 logs of 2,000 rows, the mean error is within three standard errors of none."""
    errors = []
    for seed in range(40):
        logged = world(2000, seed)
        errors.append(spec.build()(logged).value - true_value())

    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors)) + 1e-9


@pytest.mark.parametrize("spec", [IpsSpec(), SnipsSpec(), DoublyRobustSpec()], ids=lambda spec: spec.kind)
def test_a_wrong_model_does_not_mislead_what_weighs(spec: EstimatorSpec) -> None:
    """The direct method believes it; with right propensities the others do not."""
    wrong, misled = [], []
    for seed in range(40):
        logged = world(2000, seed)
        assert logged.model is not None
        logged = replace(logged, model=logged.model + 1.0)
        wrong.append(spec.build()(logged).value - true_value())
        misled.append(DirectSpec()(logged).value - true_value())

    assert abs(np.mean(wrong)) < 3 * np.std(wrong) / np.sqrt(len(wrong))
    assert np.mean(misled) == pytest.approx(1.0, abs=0.02)


def test_doubly_robust_forgives_wrong_propensities_of_a_right_model() -> None:
    """And inverse propensity scoring does not."""
    logged = world(20_000, 3)
    logged = replace(logged, propensity=logged.propensity / 2)

    assert DoublyRobustSpec()(logged).value == pytest.approx(true_value(), abs=0.05)
    assert IpsSpec()(logged).value > 1.5 * true_value()


def test_formulae_on_three_rows() -> None:
    """Worked by hand: w = (0.5/0.25, 0.1/0.5, 1/0.5) = (2, 0.2, 2)."""
    logged = Logged(
        action=np.array([0, 1, 0]),
        reward=np.array([1.0, 2.0, 3.0]),
        propensity=np.array([0.25, 0.5, 0.5]),
        policy=np.array([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0]]),
        groups=pa.array(["a", "b", "c"]),
        allowed=np.ones((3, 2), np.bool_),
        model=np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 5.0]]),
    )

    found = {spec.kind: spec.build()(logged).value for spec in ESTIMATORS}

    assert found["ips"] == pytest.approx((2 + 0.4 + 6) / 3)
    assert found["snips"] == pytest.approx((2 + 0.4 + 6) / 4.2)
    assert found["direct"] == pytest.approx((0.5 + 1.0 + 2.0) / 3)
    assert found["doubly_robust"] == pytest.approx((0.5 + 1.0 + 2.0 + 0 + 0.2 + 2.0) / 3)
    assert SwitchSpec(threshold=1.0)(logged).value == pytest.approx((0.5 + 1.0 + 2.0 + 0.2) / 3)
    assert IpsSpec(clip=1.0)(logged).value == pytest.approx((1 + 0.4 + 3) / 3)


def test_intervals_cover_the_true_value() -> None:
    """Doubly robust, 200 logs of 600 rows: 95 % intervals cover in 90 to 98 of 100."""
    covered = 0
    for seed in range(200):
        logged = world(600, seed)
        low, high = estimate(DoublyRobustSpec()(logged), logged, draws=300, seed=seed).interval
        covered += low <= true_value() <= high

    assert 0.90 <= covered / 200 <= 0.98


def test_intervals_know_that_rows_of_a_group_are_alike() -> None:
    """The same rewards, once with a customer per row and once with 100 rows of each of ten: the second is wider."""
    reward = np.repeat(np.arange(10.0), 100)
    logged = world(1000, 0)
    alone = replace(logged, groups=pa.array([str(row) for row in range(1000)]))
    alike = replace(logged, groups=pa.array([str(row // 100) for row in range(1000)]))

    narrow, wide = (estimate(mean_of(reward), one).interval for one in (alone, alike))

    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_the_interval_is_that_of_drawn_groups() -> None:
    """Rows of drawn groups are averaged, and each mean's error is held against the error that its own rows tell."""
    logged = world(40, 1)
    terms = IpsSpec()(logged)
    rows = [np.flatnonzero(logged.groups.to_numpy(zero_copy_only=False) == f"c{g}") for g in range(20)]
    value, ratios = terms.numerator.mean(), []
    for drawn in np.random.default_rng(0).integers(20, size=(50, 20)):
        means = np.array([terms.numerator[rows[g]].mean() for g in drawn])  # of groups, all of 2 rows
        ratios.append(abs(means.mean() - value) / means.std())
    spread = np.std([terms.numerator[of].mean() for of in rows])

    found = estimate(terms, logged, draws=50, seed=0)

    reach = np.quantile(ratios, 0.95) * spread
    assert found.interval == pytest.approx((value - reach, value + reach))
    assert found.value == pytest.approx(value)


def test_a_ratio_moves_by_its_linear_part() -> None:
    """Leaving out one of many groups changes Σ w r / Σ w by minus its ψ, but for terms of the second order."""
    logged = world(4000, 2)
    numerators, denominators = by_group(SnipsSpec()(logged), logged)
    moves = influence(numerators, denominators)

    for group in (0, 7, 1999):
        without = (numerators.sum() - numerators[group]) / (denominators.sum() - denominators[group])
        assert numerators.sum() / denominators.sum() - without == pytest.approx(moves[group], rel=0.01)


def test_what_does_not_vary_is_certain() -> None:
    """A mean of ones is one; where nothing is weighed, nothing is known."""
    logged = world(40, 1)

    certain = estimate(mean_of(np.ones(40)), logged, draws=20)
    nothing = estimate(Terms(np.ones(40), np.zeros(40)), logged, draws=20)

    assert certain == (1.0, (1.0, 1.0))
    assert np.isnan([nothing.value, *nothing.interval]).all()


def test_support_of_a_log() -> None:
    """Weights (2, 0.5, 0.5, 1): worth 16 / 5.5 rows."""
    logged = Logged(
        action=np.array([0, 0, 0, 0]),
        reward=np.zeros(4),
        propensity=np.array([0.5, 0.5, 1.0, 0.5]),
        policy=np.array([[1.0, 0.0], [0.25, 0.75], [0.5, 0.5], [0.5, 0.5]]),
        groups=pa.array(["a", "a", "b", "c"]),
        allowed=np.ones((4, 2), np.bool_),
    )

    found = Support.of(logged)

    assert (found.rows, found.episodes, found.groups, found.largest, found.mean) == (4, 4, 3, 2.0, 1.0)
    assert found.effective == pytest.approx(16 / 5.5)
    assert found.largest_share == 0.5
    assert found.unseen == pytest.approx(1.75 / 4)
