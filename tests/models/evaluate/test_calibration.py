"""Calibration per presence pattern: what the temperature improves, and where one is not enough."""

from __future__ import annotations

import json
import math

import pyarrow as pa
import pytest
import torch
from torch import Tensor

from models.evaluate.calibration import CalibrationRow, calibration
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads._classifier import ClassifierHead
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.learn.data import Examples
from models.learn.fitting import Fitted


class SaysFour(ClassifierHead):
    """Log-odds of 2 log 3 for every row, and a temperature of 2: odds of 9 before it, 3 after it."""

    def forward(self, fused: Tensor) -> Tensor:
        return torch.full((len(fused), 1), 2 * math.log(3))


def judged(spec: ClassifierSpec | RegressorSpec | None = None) -> list[CalibrationRow]:
    """80 rows, in the first 40 of which both modalities are present: 3 in 4 of these are true, all of the others.

    Ten more have the photo alone: too few to say anything about.
    """
    churned = [i % 4 > 0 for i in range(40)] + [True] * 40 + [True] * 10
    mask = torch.tensor([[True, True]] * 40 + [[False, True]] * 40 + [[True, False]] * 10)
    labels = {"churned": pa.array(churned), "spend": pa.array([float(i) for i in range(90)])}
    rows = Examples({"photo": 2, "visits": 2}, torch.zeros(90, 2, 2), mask, labels, pa.array(["a"] * 90))
    fusion = WeightedSumSpec(dim=2, inputs=rows.inputs)
    if isinstance(spec, RegressorSpec):
        fitted = spec.fitted(labels["spend"], 2)
        return calibration(Fitted(fusion, fusion.build(), {"spend": fitted}, {"spend": fitted.build().eval()}), rows)
    churn = ClassifierSpec(label="churned", hidden=0).fitted(labels["churned"], 2)
    head = SaysFour(churn)
    head.get_buffer("temperature").fill_(2)
    return calibration(Fitted(fusion, fusion.build(), {"churn": churn}, {"churn": head}), rows)


def test_every_frequent_pattern_has_a_line() -> None:
    """All 90 rows, then each pattern of 40, but not the one of 10."""
    assert [(row.head, row.pattern, row.rows) for row in judged()] == [
        ("churn", "all", 90),
        ("churn", "visits", 40),
        ("churn", "photo+visits", 40),
    ]


def test_the_temperature_suits_one_pattern_and_not_another() -> None:
    """P = 9/10 before and 3/4 after: 3 in 4 are true with both modalities (errors 0.15 and 0), all of visits alone."""
    errors = {row.pattern: (row.before["ece"], row.after["ece"]) for row in judged()}
    assert errors["photo+visits"] == pytest.approx((0.15, 0), abs=1e-6)
    assert errors["visits"] == pytest.approx((0.1, 0.25))


def test_the_likelihood_is_that_of_the_published_scores() -> None:
    """3/4 log 3/4 + 1/4 log 1/4 after, 3/4 log 9/10 + 1/4 log 1/10 before."""
    [row] = [row for row in judged() if row.pattern == "photo+visits"]
    assert row.after["log_likelihood"] == pytest.approx(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert row.before["log_likelihood"] == pytest.approx(0.75 * math.log(0.9) + 0.25 * math.log(0.1))


def test_a_mean_has_nothing_to_calibrate() -> None:
    """A regressor of means gives no line."""
    assert judged(RegressorSpec(label="spend")) == []


def test_the_card_can_hold_it() -> None:
    """As strict JSON."""
    rows = json.loads(json.dumps([row.as_json() for row in judged()], allow_nan=False))
    assert set(rows[0]) == {"head", "pattern", "rows", "before", "after"}
