"""Tests of what a page says of training: heads, curves, policies; drawn from what cards hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pipelines.report.curves import curves
from pipelines.report.forest import Mark, forest
from pipelines.report.learning import sections
from pipelines.report.markup import join
from pipelines.report.matrix import MOST_CLASSES, confusion
from pipelines.report.reliability import reliability
from pipelines.report.worth import worth


def row(predictor: str, value: float, pattern: str = "all") -> dict[str, Any]:
    """One line of a comparison, as its card holds it."""
    interval = [value - 0.1, value + 0.1]
    metrics = {"roc_auc": value}
    return {
        "head": "churn",
        "predictor": predictor,
        "pattern": pattern,
        "rows": 40,
        "headline": "roc_auc",
        "interval": interval,
        "metrics": metrics,
    }


def judgement(**changes: object) -> dict[str, Any]:
    """An off-policy evaluation, as its card holds it."""
    of: Mapping[str, Any] = {"value": 2.0, "low": 1.5, "high": 2.5, "model_based": False}
    return {
        "rows": 1200,
        "episodes": 1200,
        "clusters": 300,
        "refusals": [],
        "headline": "doubly_robust",
        "estimates": {
            "doubly_robust": of,
            "direct": {"value": 3.0, "low": None, "high": None, "model_based": True},
        },
        "logging": {"value": 1.0, "low": 0.9, "high": 1.1},
        "support": {"effective": 512.25, "largest": 8.0, "mean": 1.01},
        "propensities": "logged",
        "cut_off": 0,
        "weights": {"counts": [0, 30, 10, 0], "edges": [0.0, 0.5, 1.0, 2.0, 4.0]},
        **changes,
    }


def test_marks_lie_where_their_values_are() -> None:
    """On an axis from 0 to 10 with a margin of 4 %, a value of 5 lies in the middle, and its whisker around it."""
    drawn = forest([Mark("a", 0.0), Mark("b", 5.0, 4.0, 6.0), Mark("c", 10.0)])

    # The axis is 10.8 long and begins at -0.4: 0 lies at 0.4 / 10.8 = 3.7 %, 4 at 40.74 %, 2 of it are 18.52 %.
    assert 'style="left:3.7%"' in drawn
    assert 'style="left:50%"' in drawn
    assert 'style="left:40.74%;width:18.52%"' in drawn


def test_a_reference_is_drawn_and_named() -> None:
    """It may lie outside of all values."""
    drawn = forest([Mark("a", 1.0)], ("the logged decisions", 0.5))

    assert drawn.count('class="reference"') == 1
    assert "the logged decisions, 0.5" in drawn


def test_nothing_to_draw_is_said() -> None:
    """No value at all, one point only, no labelled row, no class."""
    assert "Nothing could be estimated" in forest([Mark("a", None)])
    assert "Too few points" in curves([1.0], {"loss": [2.0]}, "Loss")
    assert "No labelled rows" in reliability([(0.5, 0.5, 0)], "churn")
    assert "No labelled rows" in confusion([], [])


def test_curves_go_from_corner_to_corner() -> None:
    """A falling line over two epochs, with 5 % of room above and below: y = 4.55 and 95.45 of 100."""
    drawn = curves([0.0, 1.0], {"training": [1.0, 0.0]}, "Loss")

    # The axis is 1.1 long: 0.05 / 1.1 = 4.55 %.
    assert 'points="0,4.55 100,95.45"' in drawn


def test_unknown_points_are_left_out() -> None:
    """A value that could not be estimated at one check is no zero."""
    drawn = curves([0.0, 1.0, 2.0], {"value": [1.0, None, 2.0]}, "Value")

    [line] = [part for part in drawn.split("<") if part.startswith("polyline")]
    assert len(line.split('points="')[1].split('"')[0].split(" ")) == 2


def test_a_confusion_matrix_shades_by_the_share_of_the_true_class() -> None:
    """All of a class in one cell is the darkest shade, half of one the middle."""
    drawn = confusion(["flu", "cold"], [[4, 0], [2, 2]])

    assert drawn.count("q8") == 1  # 9 · 4 // 4 = 9, of which 8 is the last
    assert drawn.count("q4") == 2  # 9 · 2 // 4 = 4
    assert "50.0 % of cold" in drawn


def test_too_many_classes_are_not_drawn() -> None:
    """A table of a thousand columns helps nobody."""
    names = [str(number) for number in range(MOST_CLASSES + 1)]

    assert "too many" in confusion(names, [[1] * len(names)] * len(names))


def test_a_policy_is_shown_beside_the_log() -> None:
    """Estimates, which of them is a model's word, the log's own value, and how much of the log speaks."""
    drawn = worth(judgement())

    assert "doubly robust" in drawn
    assert drawn.count("model-based") == 1
    assert "the logged decisions, 1" in drawn
    assert "512.2" in drawn
    assert drawn.count('class="column"') == 2  # filled bins of weights


def test_a_refusal_shows_no_value() -> None:
    """Reasons stand there instead; a value that cannot be told is not drawn."""
    drawn = worth(judgement(refusals=["propensities must be known; got none"], estimates={}, support=None))

    assert "propensities must be known" in drawn
    assert "box" not in drawn


@pytest.mark.parametrize("which", ["published", "candidate"])
def test_every_head_and_policy_has_its_cards(which: str) -> None:
    """A head with labels, its margin, patterns, the curve; and the policy, which decides or does not."""
    learned = {
        "metrics": {
            "rows": [row("visits", 0.7), row("fused", 0.8), row("fused", 0.75, "photo+visits")],
            "margins": [{"head": "churn", "value": 0.1, "interval": [0.05, 0.15], "best_single": "visits"}],
        },
        "history": [{"epoch": n, "train_loss": 1.0 / (n + 1), "validation_loss": 1.0} for n in range(3)],
    }
    policy = {"which": which, "kind": "q_learning", "told": "since 2026", "off_policy": judgement(), "history": []}

    page = join(sections(learned, {"offer": [policy]}))

    assert "churn: alone and fused" in page
    assert "Fused is +0.100 (+0.050 to +0.150) against the best single modality, visits." in page
    assert "photo+visits" in page
    assert "Learning curve" in page
    assert ("decides" if which == "published" else "does not decide") in page


def test_names_from_data_are_no_markup() -> None:
    """A head or class may be called anything."""
    hostile = "<script>alert(1)</script>"

    assert "<script" not in confusion([hostile, "b"], [[1, 0], [0, 1]])
    assert "<script" not in forest([Mark(hostile, 1.0)])
