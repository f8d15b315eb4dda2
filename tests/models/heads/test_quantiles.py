"""Regressor of quantiles: their order, their loss, the share of rows below each, and what is published."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError

from models.errors import ConfigError
from models.heads._quantiles import QuantileHead
from models.heads.regressor import QUANTILES_METADATA, RegressorSpec
from models.schema import DIM_METADATA

LEVELS = [0.1, 0.5, 0.9]


def fitted(labels: list[float], **settings: Any) -> RegressorSpec:
    """A linear regressor of three quantiles that has seen these labels."""
    spec = RegressorSpec.model_validate({"label": "spend", "hidden": 0, "quantiles": LEVELS, **settings})
    return spec.fitted(pa.array(labels), input_dim=2)


def head(labels: list[float], **settings: Any) -> QuantileHead:
    """The head of these labels, in evaluation mode."""
    built = QuantileHead(fitted(labels, **settings))
    built.eval()
    return built


def test_the_first_guess_is_the_labels_own_quantiles() -> None:
    """0, 1, …, 10 have the quantiles 1, 5 and 9."""
    scores = head([float(i) for i in range(11)]).scores(torch.zeros(1, 2))
    assert scores[0].tolist() == pytest.approx([1, 5, 9])


def test_under_log_too() -> None:
    """log(1 + label) is 0, 1, …, 10: its quantiles 1, 5, 9 stand for the labels e − 1, e⁵ − 1, e⁹ − 1."""
    scores = head([math.exp(i) - 1 for i in range(11)], transform="log").scores(torch.zeros(1, 2))
    assert scores[0].tolist() == pytest.approx([math.exp(i) - 1 for i in (1, 5, 9)], rel=1e-4)


def test_quantiles_never_cross() -> None:
    """Whatever the weights."""
    built = head([1.0, 2.0, 4.0])
    with torch.no_grad():
        built.net[-1].get_parameter("weight").normal_(std=100, generator=torch.Generator().manual_seed(0))
    scores = built.scores(torch.randn(500, 2, generator=torch.Generator().manual_seed(1)))
    assert (scores.diff(dim=1) >= 0).all()


def test_the_loss_is_the_pinball_loss() -> None:
    """Labels 1 and 3 are 2 ± 1 deviation. For label 3 (t = 1) and quantiles −1, 1, 2 of levels 0.1, 0.5, 0.9:
    0.1 · 2, 0, and 0.1 · 1, on average 0.1.
    """
    assert head([1.0, 3.0]).loss(torch.tensor([[-1.0, 1, 2]]), torch.tensor([3.0])).tolist() == pytest.approx([0.1])


def test_after_calibration_the_stated_share_lies_below() -> None:
    """Quantiles of a narrow guess are moved apart until 1, 5 and 9 of 10 rows lie below them."""
    built, labels = head([1.0, 3.0]), torch.linspace(-20, 30, 1001)
    raw = torch.tensor([[-0.1, 0.0, 0.1]]).expand(1001, 3)
    built.calibrate(raw, labels)
    below = (labels[:, None] < built.published(built.calibrated(raw))).float().mean(dim=0)
    assert below.tolist() == pytest.approx(LEVELS, abs=0.002)


def test_what_calibration_makes_cross_is_sorted() -> None:
    """Offsets +3, 0 and −3 turn −1, 0, 1 into 2, 0, −2, which is published in ascending order."""
    built = head([1.0, 3.0])
    built.quantiles.get_buffer("offsets").copy_(torch.tensor([3.0, 0, -3]))
    assert built.calibrated(torch.tensor([[-1.0, 0, 1]])).tolist() == [[-2, 0, 2]]


def test_levels_stand_in_the_columns_metadata() -> None:
    """A reader finds which place is which quantile, and how long the list is."""
    spec = fitted([1.0, 3.0])
    [field] = spec.output_fields("spend")
    assert json.loads(field.metadata[QUANTILES_METADATA]) == LEVELS
    assert field.metadata[DIM_METADATA] == b"3"
    columns = spec.output_columns("spend", np.array([[1, 2, 3]], np.float32))
    assert columns["score_spend"].to_pylist() == [[1, 2, 3]]


def test_a_wide_interval_is_doubtful() -> None:
    """9 − 1 = 8 is above 5, 5 is not."""
    published = fitted([1.0, 3.0], abstain_above=5).publish_rows("s", np.array([[1, 2, 9], [0, 1, 5]], np.float32))
    assert {code: rows.tolist() for code, rows in published.issues.items()} == {"low_confidence": [True, False]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantiles": [0.9, 0.1]}, "ascending order"),
        ({"quantiles": [0.5, 0.5]}, "ascending order"),
        ({"quantiles": [0.0, 0.5]}, "greater than 0"),
        ({"quantiles": [0.5], "loss": "huber"}, "loss must be left out"),
        ({"quantiles": [0.5], "abstain_above": 1.0}, "at least 2 quantiles"),
        ({"abstain_above": 1.0}, "at least 2 quantiles"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    """The message names the setting."""
    with pytest.raises(ValidationError, match=message):
        RegressorSpec.model_validate({"label": "spend", **settings})


def test_an_unfitted_regressor_of_quantiles_cannot_be_built() -> None:
    """It has no first guess; the error says what to run."""
    with pytest.raises(ConfigError, match="amalgam train"):
        RegressorSpec.model_validate({"label": "spend", "quantiles": LEVELS}).build()
