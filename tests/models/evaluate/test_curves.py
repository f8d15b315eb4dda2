"""Bins and counts that reports draw, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluate.curves import MOST_CLASSES, confusion, reliability


def test_what_was_said_and_what_came_true() -> None:
    """Fifteen bins: 0.5 and 0.52 stand in (7/15, 8/15], 0.9 in (13/15, 14/15]; empty ones are left out."""
    y, p = np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.52, 0.9])

    found = reliability("binary", y, p)

    assert found == [pytest.approx((0.51, 0.5, 2)), pytest.approx((0.9, 1.0, 1))]


def test_of_many_classes_the_most_probable_counts() -> None:
    """0.6 for class 1, which is right once in two."""
    score = np.array([[0.3, 0.6, 0.1], [0.4, 0.6, 0.0]])

    assert reliability("multiclass", np.array([1.0, 0.0]), score) == [pytest.approx((0.6, 0.5, 2))]


def test_every_membership_counts() -> None:
    """Two rows of two classes are four yes or no."""
    y, score = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.95, 0.05], [0.95, 0.05]])

    assert reliability("multilabel", y, score) == [pytest.approx((0.05, 0.5, 2)), pytest.approx((0.95, 1.0, 2))]


def test_quantiles_say_their_level() -> None:
    """Of labels 1 to 4, none lies below 0 and three at or below 3."""
    score = np.tile([0.0, 3.0], (4, 1))

    assert reliability("quantile", np.arange(1.0, 5.0), score, (0.1, 0.5)) == [(0.1, 0.0, 4), (0.5, 0.75, 4)]


def test_means_say_no_probability() -> None:
    """There is nothing to bin."""
    assert reliability("regression", np.ones(3), np.ones(3)) == []


def test_confusion_counts_rows_by_true_and_taken_class() -> None:
    """Down what it is, across what it was taken for; of two classes the last wins above one half."""
    y, score = np.array([0.0, 0.0, 1.0, 2.0]), np.eye(3)[[0, 2, 1, 2]]

    three = confusion("multiclass", y, score, ("a", "b", "c"))
    two = confusion("binary", np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.4, 0.7]), (False, True))

    assert three is not None
    assert three.classes == ["a", "b", "c"]
    assert three.counts.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert two is not None
    assert two.counts.tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize(("task", "classes"), [("multilabel", 3), ("regression", 0), ("multiclass", MOST_CLASSES + 1)])
def test_where_there_is_no_confusion(task: str, classes: int) -> None:
    """Where several classes are true, or none, or too many to look at."""
    assert confusion(task, np.zeros(2), np.zeros((2, max(classes, 1))), range(classes)) is None
