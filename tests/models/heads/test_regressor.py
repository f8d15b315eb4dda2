"""Regressor of a mean: the label's units, the logarithm and its correction."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.errors import ConfigError
from models.heads._regressor import RegressorHead
from models.heads.regressor import RegressorSpec


def head(**settings: object) -> RegressorHead:
    """A linear regressor whose raw output is 0."""
    labels = pa.array(settings.pop("labels", [1.0, 3.0]))
    spec = RegressorSpec.model_validate({"label": "spend", "hidden": 0, **settings}).fitted(labels, input_dim=2)
    built = RegressorHead(spec)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.zero_()
    return built.eval()


def test_a_raw_output_of_zero_is_the_mean_label() -> None:
    """The score is mean + std · raw: labels 1 and 3 have mean 2."""
    assert head().scores(torch.zeros(1, 2)).tolist() == [2.0]


def test_loss_is_in_standard_deviations() -> None:
    """Labels 1 and 3 have standard deviation 1 around 2: raw 0 for label 4 is 2 off, half its square is 2."""
    assert head().loss(torch.zeros(1, 1), torch.tensor([4.0])).tolist() == [2.0]


def test_huber_is_linear_far_out() -> None:
    """Huber with δ = 1 for an error of 2: 2 − 1/2."""
    assert head(loss="huber").loss(torch.zeros(1, 1), torch.tensor([4.0])).tolist() == [1.5]


def test_log_scores_are_expected_values() -> None:
    """log(1 + y) = 1 ± 1 at even odds: the score becomes (e⁰ + e²)/2 − 1, not e¹ − 1."""
    labels = [math.exp(0) - 1, math.exp(2) - 1]
    built = head(transform="log", labels=labels)
    assert built.scores(torch.zeros(1, 2)).item() == pytest.approx(math.e - 1, rel=1e-5)
    built.calibrate(torch.zeros(2, 1), torch.tensor(labels))
    assert built.scores(torch.zeros(1, 2)).item() == pytest.approx((1 + math.e**2) / 2 - 1, rel=1e-5)


def test_log_scores_stay_finite() -> None:
    """An absurd output does not overflow."""
    built = head(transform="log")
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.fill_(1e4)
    assert torch.isfinite(built.scores(torch.ones(1, 2))).all()


def test_labels_that_are_not_finite_have_no_target() -> None:
    """NaN and infinity are no labels."""
    targets = RegressorSpec(label="spend").targets(pa.array([1.0, math.nan, math.inf, None]))
    np.testing.assert_array_equal(targets, np.array([1, np.nan, np.nan, np.nan], np.float32))


@pytest.mark.parametrize(
    ("labels", "transform", "message"),
    [
        (pa.array([2.0, 2.0]), "none", "different numbers"),
        (pa.array([None], pa.float64()), "none", "different numbers"),
        (pa.array([-1.0, 2.0]), "log", "at least 0 for transform log; got -1"),
        (pa.array(["a"]), "none", "must be a number; got string"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(labels: pa.Array, transform: str, message: str) -> None:
    """The error names what the labels lack."""
    spec = RegressorSpec.model_validate({"label": "spend", "transform": transform})
    with pytest.raises(ConfigError, match=message):
        spec.fitted(labels, input_dim=2)
