"""The comparison: who is compared, on which rows, and that fusion wins by the margin that is there."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from models.evaluate.comparison import BASELINE, FUSED, Comparison, compare
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads.base import LabelHeadSpec
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.learn.data import Examples, Split
from models.learn.supervised import SupervisedSpec
from tests.models.samples import DIMS, examples


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Three modalities, each showing one of three latents of equal weight."""
    split = Split(examples(1000), examples(200, seed=1), examples(600, seed=2))
    learner = SupervisedSpec(epochs=12, batch_rows=64, learning_rate=5e-3).build()
    heads: dict[str, LabelHeadSpec] = {"churn": ClassifierSpec(label="churned"), "spend": RegressorSpec(label="spend")}
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


def test_a_modality_that_is_taken_away_is_missed(comparison: Comparison) -> None:
    """Each tells of a latent of its own: without any of the three, fused is worse for both heads, beyond chance."""
    assert [(one.head, one.modality) for one in comparison.without] == [
        (h, m) for h in ("churn", "spend") for m in DIMS
    ]
    for one in comparison.without:
        assert one.interval.low < one.delta < one.interval.high < 0
        assert not one.retrained
    # Present 9 times in 10, each explains 0.8 of a third of the variance: 0.24.
    spend = [one.delta for one in comparison.without if one.head == "spend"]
    assert spend == pytest.approx([-0.24] * 3, abs=0.1)


def test_what_a_head_says_and_takes_for_what(comparison: Comparison) -> None:
    """Classes are counted, probabilities binned; a mean has neither."""
    assert set(comparison.confusions) == {"churn"}
    found = comparison.confusions["churn"]
    [fused] = [row for row in comparison.rows if (row.head, row.predictor, row.pattern) == ("churn", FUSED, "all")]
    assert found.classes == ["False", "True"]
    assert found.counts.sum() == 600
    assert np.trace(found.counts) / 600 == pytest.approx(fused.metrics["accuracy"])
    assert comparison.bins["spend"] == []
    assert sum(one.rows for one in comparison.bins["churn"]) == 600


def test_the_result_is_strict_json(comparison: Comparison) -> None:
    """The card can hold it, and nothing is lost on the way."""
    text = json.dumps(comparison.as_json(), allow_nan=False)
    found = json.loads(text)
    assert len(found["rows"]) == len(comparison.rows)
    assert all("head" in item for items in found.values() for item in items)
    assert set(found["calibration"][0]["bins"][0]) == {"said", "came_true", "rows"}


def test_every_task_is_compared() -> None:
    """Several classes at once, and quantiles; also trained anew without each modality."""
    tables = [several(rows, seed) for seed, rows in enumerate((300, 150, 200))]
    learner = SupervisedSpec(epochs=8, batch_rows=64, learning_rate=5e-3).build()
    heads: dict[str, LabelHeadSpec] = {
        "tags": ClassifierSpec(label="tags"),
        "spend": RegressorSpec(label="spend", quantiles=(0.1, 0.5, 0.9)),
    }
    fitted = learner.fit(WeightedSumSpec(dim=8), heads, tables[0], tables[1])

    found = compare(fitted, learner, Split(*tables), retrain=True)

    by = {(row.head, row.predictor): row for row in found.rows if row.pattern == "all"}
    assert [by[head, FUSED].headline for head in heads] == ["roc_auc", "pinball_skill"]
    assert by["tags", BASELINE].metrics["roc_auc"] == 0.5
    assert by["spend", BASELINE].metrics["pinball_skill"] == pytest.approx(0, abs=0.05)
    for head in heads:
        assert by[head, FUSED].interval.low > by[head, BASELINE].metrics[by[head, FUSED].headline]
    assert by["spend", FUSED].metrics["coverage"] == pytest.approx(0.8, abs=0.12)
    assert {(one.head, one.modality, one.retrained) for one in found.without} == {
        (head, modality, retrained) for head in heads for modality in DIMS for retrained in (False, True)
    }
    assert all(one.delta < 0 for one in found.without if one.head == "spend")
    assert [one.said for one in found.bins["spend"]] == [0.1, 0.5, 0.9]
    assert found.confusions == {}
    json.dumps(found.as_json(), allow_nan=False)


def several(rows: int, seed: int) -> Examples:
    """Also with tags: `many` where much is spent, `art` where that is the largest latent."""
    table = examples(rows, seed=10 + seed)
    spend, segment = table.labels["spend"].to_pylist(), table.labels["segment"].to_pylist()
    tags = [["many"] * (s > 12) + ["art"] * (g == "art") for s, g in zip(spend, segment, strict=True)]
    return replace(table, labels={**table.labels, "tags": pa.array(tags, pa.list_(pa.string()))})


def test_intervals_hold_their_values(comparison: Comparison) -> None:
    """Every headline metric lies in its interval."""
    for row in comparison.rows:
        assert row.interval.low <= row.metrics[row.headline] <= row.interval.high
    assert np.isfinite([margin.value for margin in comparison.margins]).all()
