"""Metrics beside scikit-learn's, and where the two definitions differ by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from models.evaluate import metrics
from models.evaluate.metrics import METRICS, Float64, headline, metrics_of


@pytest.fixture(params=[0, 1, 2])
def scored(request: pytest.FixtureRequest) -> tuple[Float64, Float64]:
    """Binary targets and scores with many ties."""
    rng = np.random.default_rng(request.param)
    score = np.round(rng.random(200), 1)
    return (rng.random(200) < score).astype(np.float64), np.clip(score, 0.01, 0.99)


@pytest.fixture
def classes() -> tuple[Float64, Float64]:
    """Targets of three classes and their probabilities."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, 200).astype(np.float64), rng.dirichlet(np.ones(3), 200)


def test_binary_metrics_agree_with_scikit_learn(scored: tuple[Float64, Float64]) -> None:
    """Also where scores are tied."""
    y, p = scored
    of = METRICS["binary"]
    assert of["roc_auc"](y, p) == pytest.approx(reference.roc_auc_score(y, p))
    assert of["average_precision"](y, p) == pytest.approx(reference.average_precision_score(y, p))
    assert of["log_likelihood"](y, p) == pytest.approx(-reference.log_loss(y, p))
    assert of["brier"](y, p) == pytest.approx(2 * reference.brier_score_loss(y, p))
    # A probability of exactly one half is class 0 for argmax: compare with > and not >=.
    assert of["accuracy"](y, p) == pytest.approx(reference.accuracy_score(y, p > 0.5))
    assert of["balanced_accuracy"](y, p) == pytest.approx(reference.balanced_accuracy_score(y, p > 0.5))


def test_multiclass_metrics_agree_with_scikit_learn(classes: tuple[Float64, Float64]) -> None:
    """Likelihood and the two accuracies; Brier against its formula."""
    y, p = classes
    of = METRICS["multiclass"]
    assert of["log_likelihood"](y, p) == pytest.approx(-reference.log_loss(y, p))
    assert of["accuracy"](y, p) == pytest.approx(reference.accuracy_score(y, p.argmax(axis=1)))
    assert of["balanced_accuracy"](y, p) == pytest.approx(reference.balanced_accuracy_score(y, p.argmax(axis=1)))
    squares = [sum((p[i, k] - (y[i] == k)) ** 2 for k in range(3)) for i in range(200)]
    assert of["brier"](y, p) == pytest.approx(np.mean(squares))


def test_regression_metrics_agree_with_scikit_learn() -> None:
    """R², MAE and RMSE."""
    rng = np.random.default_rng(0)
    y, prediction = rng.standard_normal(100), rng.standard_normal(100)
    of = METRICS["regression"]
    assert of["r2"](y, prediction) == pytest.approx(reference.r2_score(y, prediction))
    assert of["mae"](y, prediction) == pytest.approx(reference.mean_absolute_error(y, prediction))
    assert of["rmse"](y, prediction) == pytest.approx(reference.root_mean_squared_error(y, prediction))


def test_calibration_error_by_hand() -> None:
    """Four rows said 0.8 of which two are right, four said 0.6 of which all are: (0.3·4 + 0.4·4) / 8."""
    p = np.array([0.8] * 4 + [0.6] * 4)
    y = np.array([1, 1, 0, 0, 1, 1, 1, 1])
    assert metrics.calibration_error(y, metrics.both_classes(p)) == pytest.approx(0.35)


def test_a_constant_score_has_auc_one_half() -> None:
    """All tied: the baseline's AUC."""
    assert metrics.roc_auc(np.array([True, False, True]), np.full(3, 0.7)) == 0.5


def test_one_class_has_no_auc() -> None:
    """It is NaN, not an error: a bootstrap draw may hold one class."""
    assert math.isnan(metrics.roc_auc(np.array([True, True]), np.array([0.1, 0.2])))
    assert math.isnan(metrics.average_precision(np.array([False]), np.array([0.1])))


def test_a_certain_mistake_costs_a_bounded_amount() -> None:
    """Probability 0 for the true class counts as 1e-7."""
    assert metrics.log_likelihood(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(math.log(1e-7))


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("binary", "roc_auc"),
        ("multiclass", "log_likelihood"),
        ("multilabel", "roc_auc"),
        ("regression", "r2"),
        ("quantile", "pinball_skill"),
    ],
)
def test_headline(task: str, name: str) -> None:
    """Each task has one metric by which models are compared."""
    assert headline(task) == name


def test_multilabel_metrics_agree_with_scikit_learn() -> None:
    """Macro-averaged areas, and every class of every row as a yes or no."""
    rng = np.random.default_rng(0)
    p = rng.random((200, 3))
    y = (rng.random((200, 3)) < p).astype(np.float64)
    of = METRICS["multilabel"]
    assert of["roc_auc"](y, p) == pytest.approx(reference.roc_auc_score(y, p, average="macro"))
    assert of["average_precision"](y, p) == pytest.approx(reference.average_precision_score(y, p, average="macro"))
    assert of["log_likelihood"](y, p) == pytest.approx(-reference.log_loss(y.ravel(), p.ravel()))
    assert of["accuracy"](y, p) == pytest.approx(1 - reference.hamming_loss(y, p > 0.5))
    assert of["brier"](y, p) == pytest.approx(2 * reference.brier_score_loss(y.ravel(), p.ravel()))


def test_classes_that_do_not_vary_are_left_out_of_the_mean() -> None:
    """The first class is ranked perfectly, the second applies to all; without any other class there is no mean."""
    y, p = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[0.2, 0.5], [0.7, 0.5]])
    of = METRICS["multilabel"]["roc_auc"]
    assert of(y, p) == 1.0
    assert math.isnan(of(y[:, 1:], p[:, 1:]))


def test_pinball_agrees_with_scikit_learn() -> None:
    """The mean over levels, and its share of what constant quantiles lose."""
    rng = np.random.default_rng(0)
    y, score, levels = rng.standard_normal(300), np.sort(rng.standard_normal((300, 3)), axis=1), (0.1, 0.5, 0.9)
    of = metrics_of("quantile", levels)
    losses = [reference.mean_pinball_loss(y, score[:, k], alpha=level) for k, level in enumerate(levels)]
    constant = [reference.mean_pinball_loss(y, np.full(300, np.quantile(y, level)), alpha=level) for level in levels]
    assert of["pinball"](y, score) == pytest.approx(np.mean(losses))
    assert of["pinball_skill"](y, score) == pytest.approx(1 - sum(losses) / sum(constant))
    assert math.isnan(of["pinball_skill"](np.ones(5), np.ones((5, 3))))


def test_coverage_by_hand() -> None:
    """Of 1 to 4, two lie in [2, 3]; at or below the quantiles are 2 and 3 of 4, where 1 and 3 were said."""
    y, score = np.arange(1.0, 5.0), np.tile([2.0, 3.0], (4, 1))
    of = metrics_of("quantile", (0.25, 0.75))
    assert of["coverage"](y, score) == 0.5
    assert of["coverage_error"](y, score) == 0.25
    assert metrics_of("quantile", (0.5,))["coverage"](y, score[:, :1]) == 0.5
