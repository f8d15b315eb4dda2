"""The comparison: who is compared, on which rows, and that fusion wins by the margin that is there."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.evaluate.comparison import BASELINE, FUSED, Comparison, compare
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.learn.data import Split
from models.learn.supervised import SupervisedSpec
from tests.models.samples import DIMS, examples


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Three modalities, each showing one of three latents of equal weight."""
    split = Split(examples(1000), examples(200, seed=1), examples(600, seed=2))
    learner = SupervisedSpec(epochs=12, batch_rows=64, learning_rate=5e-3).build()
    heads = {"churn": ClassifierSpec(label="churned"), "spend": RegressorSpec(label="spend")}
    fusion = WeightedSumSpec(dim=8, weights={"photo": 1.0, "review": 0.5})
    fitted = learner.fit(fusion, heads, split.train, split.validation)
    return compare(fitted, learner, split)


def test_everyone_is_judged_on_the_same_rows(comparison: Comparison) -> None:
    """Baseline, each modality and all fused, for each head, on all held-out rows."""
    rows = [(row.head, row.predictor, row.rows) for row in comparison.rows if row.pattern == "all"]
    predictors = [BASELINE, *DIMS, FUSED]
    assert rows == [(head, predictor, 600) for head in ("churn", "spend") for predictor in predictors]


def test_the_baseline_knows_nothing(comparison: Comparison) -> None:
    """A constant prediction has AUC 1/2, and R² of 0 but for the difference of two samples' means."""
    by_head = {row.head: row for row in comparison.rows if row.predictor == BASELINE}
    assert by_head["churn"].metrics["roc_auc"] == 0.5
    assert by_head["spend"].metrics["r2"] == pytest.approx(0, abs=0.02)


def test_fused_wins_by_the_margin_that_is_there(comparison: Comparison) -> None:
    """Present 9 times in 10, a view explains 0.8 of its third: R² 0.24 alone, 0.72 together, margin 0.48 to a third."""
    [margin] = [margin for margin in comparison.margins if margin.head == "spend"]
    assert margin.metric == "r2"
    assert margin.value == pytest.approx(0.48, rel=1 / 3)
    assert margin.interval.low < margin.value < margin.interval.high


def test_patterns_are_disjoint_and_named(comparison: Comparison) -> None:
    """Each frequent presence pattern has its own line of the fused predictor, most frequent first."""
    patterns = [row for row in comparison.rows if row.head == "spend" and row.pattern != "all"]
    assert patterns[0].pattern == "photo+review+visits"
    assert {row.predictor for row in patterns} == {FUSED}
    assert sum(row.rows for row in patterns) <= 600
    assert [row.rows for row in patterns] == sorted((row.rows for row in patterns), reverse=True)


def test_the_result_is_strict_json(comparison: Comparison) -> None:
    """The card can hold it, and nothing is lost on the way."""
    text = json.dumps(comparison.as_json(), allow_nan=False)
    assert len(json.loads(text)["rows"]) == len(comparison.rows)


def test_intervals_hold_their_values(comparison: Comparison) -> None:
    """Every headline metric lies in its interval."""
    for row in comparison.rows:
        assert row.interval.low <= row.metrics[row.headline] <= row.interval.high
    assert np.isfinite([margin.value for margin in comparison.margins]).all()
