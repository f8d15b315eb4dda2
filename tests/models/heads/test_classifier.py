"""Classifier: classes from labels of several types and from lists, the first guess, the temperature, abstention."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.errors import ConfigError
from models.heads._classifier import ClassifierHead
from models.heads.classifier import CLASSES_METADATA, ClassifierSpec
from models.schema import DIM_METADATA


def fitted(labels: pa.Array) -> ClassifierSpec:
    """A linear classifier that has seen these labels."""
    return ClassifierSpec(label="churned", hidden=0).fitted(labels, input_dim=2)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array([True, False, None]), (False, True)),
        (pa.array([3, 1, 3], pa.int8()), (1, 3)),
        (pa.array([1.0, 0.0, None]), (0, 1)),
        (pa.array(["b", "a", "c"]), ("a", "b", "c")),
        (pa.array(["b", "a"]).dictionary_encode(), ("a", "b")),
        (pa.array(["b", "a"], pa.large_string()), ("a", "b")),
    ],
)
def test_classes_are_the_sorted_labels(labels: pa.Array, classes: tuple[object, ...]) -> None:
    """Classes stand in ascending order, nulls left out, whatever the label's type."""
    spec = fitted(labels)
    assert spec.classes == classes
    assert [type(c) for c in spec.classes] == [type(c) for c in classes]


def test_targets_are_class_indices() -> None:
    """A label becomes its class's index; null and a class that training never saw become NaN."""
    spec = fitted(pa.array(["a", "b", "c"]))
    targets = spec.targets(pa.array(["c", None, "a", "new"]))
    np.testing.assert_array_equal(targets, np.array([2, np.nan, 0, np.nan], np.float32))


def test_the_first_guess_is_the_prior() -> None:
    """With zero input the untrained head says how frequent each class was: P(True) = 3/4."""
    spec = fitted(pa.array([True, True, True, False]))
    assert spec.prior == (0.25, 0.75)
    scores = spec.build().eval().scores(torch.zeros(1, 2))
    assert scores.tolist() == pytest.approx([0.75])


def test_several_classes_sum_to_one() -> None:
    """Three classes give a list of three probabilities, the prior for zero input."""
    scores = fitted(pa.array(["a", "b", "c", "c"])).build().eval().scores(torch.zeros(1, 2))
    assert scores[0].tolist() == pytest.approx([0.25, 0.25, 0.5])


def test_classes_stand_in_the_columns_metadata() -> None:
    """A reader finds which place belongs to which class, and how long the list is."""
    [field] = fitted(pa.array(["a", "b", "c"])).output_fields("segment")
    assert json.loads(field.metadata[CLASSES_METADATA]) == ["a", "b", "c"]
    assert field.metadata[DIM_METADATA] == b"3"


def test_temperature_has_the_known_optimum() -> None:
    """Logits of ±2 of which 3 in 4 are right: sigmoid(2 / T) = 3/4, so T = 2 / log 3."""
    head = ClassifierHead(fitted(pa.array([True, False])))
    raw = torch.full((4, 1), 2.0)
    head.calibrate(raw, torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert head.get_buffer("temperature").item() == pytest.approx(2 / math.log(3), rel=1e-3)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (pa.array([True, True, None]), "2 to 1000 classes; got 1"),
        (pa.array([None, None], pa.string()), "got 0"),
        (pa.array([0.5, 1.0]), "whole numbers"),
        (pa.array([{"a": 1}, {"a": 2}]), "bool, integer or string; got struct"),
        (pa.array([[0.5], [1.0]]), "whole numbers"),
        (pa.array([[[1]], [[2]]]), "bool, integer or string; got list"),
        (pa.array([[], None], pa.list_(pa.string())), "1 to 1000 classes; got 0"),
        (pa.array(range(2000)), "got 2000"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: pa.Array, message: str) -> None:
    """The error names the label column and what is wrong with it."""
    with pytest.raises(ConfigError, match=message):
        fitted(labels)


LISTS = pa.array([["b", "a"], ["a"], None, [], ["a", None, "a"]])


@pytest.mark.parametrize("labels", [LISTS, LISTS.cast(pa.large_list(pa.string())), LISTS.slice(0)])
def test_lists_are_classes_that_may_all_apply(labels: pa.Array) -> None:
    """Every class of a list is a target of 1, repeated or not; an empty list says that none applies."""
    spec = fitted(labels)
    assert (spec.task, spec.classes) == ("multilabel", ("a", "b"))
    nan = float("nan")
    expected = np.array([[1, 1], [1, 0], [nan, nan], [0, 0], [1, 0]], np.float32)
    np.testing.assert_array_equal(spec.targets(labels), expected)


def test_a_slice_of_lists_is_read_where_it_lies() -> None:
    """Rows 1 to 3 alone; and a class that training never saw is left out."""
    labels = pa.array([["b"], ["a", "new"], None, ["b"]]).slice(1)
    nan = float("nan")
    np.testing.assert_array_equal(fitted(LISTS).targets(labels), np.array([[1, 0], [nan, nan], [0, 1]], np.float32))


def test_the_first_guess_of_lists_is_each_classs_share() -> None:
    """Of 4 known rows "a" stands in 3 and "b" in 1: (3 + 1/2) / 5 and (1 + 1/2) / 5, which need not sum to 1."""
    spec = fitted(LISTS)
    assert spec.prior == pytest.approx((0.7, 0.3))
    assert spec.build().eval().scores(torch.zeros(1, 2))[0].tolist() == pytest.approx([0.7, 0.3])


def test_the_loss_of_lists_is_the_mean_over_classes() -> None:
    """Logits 0 and log 3 for a row that has both: −log 1/2 and −log 3/4, on average."""
    loss = fitted(LISTS).build().loss(torch.tensor([[0.0, math.log(3)]]), torch.tensor([[1.0, 1.0]]))
    assert loss.tolist() == pytest.approx([(math.log(2) + math.log(4 / 3)) / 2])


def test_one_class_in_lists_is_enough() -> None:
    """It applies or does not."""
    spec = fitted(pa.array([["spam"], []]))
    assert (spec.task, spec.classes) == ("multilabel", ("spam",))
    assert spec.build().eval().scores(torch.zeros(3, 2)).shape == (3, 1)


@pytest.mark.parametrize(
    ("labels", "scores", "doubtful"),
    [
        (pa.array([False, True]), [0.65, 0.3, 0.71, 0.29], [True, False, False, False]),
        (pa.array(["a", "b", "c"]), [[0.6, 0.3, 0.1], [0.1, 0.1, 0.8]], [True, False]),
        (LISTS, [[0.9, 0.35], [0.05, 0.9]], [True, False]),
    ],
)
def test_doubtful_rows_are_named(labels: pa.Array, scores: list[object], doubtful: list[bool]) -> None:
    """Below 0.7: P = 0.65 or 0.6 for the likelier class; of several yes or no, 1 − 0.35 for the least certain."""
    spec = fitted(labels).model_copy(update={"abstain_below": 0.7})
    columns, issues = spec.publish_rows("churn", np.array(scores, np.float32))
    assert {code: rows.tolist() for code, rows in issues.items()} == {"low_confidence": doubtful}
    assert len(columns["score_churn"]) == len(scores)  # the score stays


def test_nobody_doubts_unless_asked() -> None:
    """Without `abstain_below` there is no issue."""
    assert fitted(LISTS).publish_rows("churn", np.array([[0.5, 0.5]], np.float32)).issues == {}


def test_a_label_of_another_type_is_refused() -> None:
    """Training saw strings; numbers at evaluation are a configuration error, not 'unknown'."""
    with pytest.raises(ConfigError, match="type string as in training"):
        fitted(pa.array(["a", "b"])).targets(pa.array([1, 2]))
    with pytest.raises(ConfigError, match="a list as in training; got string"):
        fitted(LISTS).targets(pa.array(["a"]))
    with pytest.raises(ConfigError, match="type string as in training"):
        fitted(LISTS).targets(pa.array([[1]]))


def test_an_unfitted_classifier_cannot_be_built() -> None:
    """Without classes there is nothing to build; the error says what to run."""
    with pytest.raises(ConfigError, match="amalgam train"):
        ClassifierSpec(label="churned").build()
