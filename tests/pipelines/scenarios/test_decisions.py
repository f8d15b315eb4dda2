"""Logging policies, however they score."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.decisions import decide, names_where, probabilities


def test_probabilities_sum_to_one_above_the_floor() -> None:
    """Allowed actions have at least the floor, forbidden ones nothing."""
    rng = np.random.default_rng(0)
    allowed = np.concatenate([np.ones((1_000, 1), np.bool_), rng.random((1_000, 3)) < 0.5], axis=1)
    chances = probabilities(5 * rng.standard_normal((1_000, 4)), allowed, floor=0.05)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert chances[allowed].min() >= 0.05
    assert not chances[~allowed].any()


def test_actions_are_drawn_by_their_probability() -> None:
    """With 0.1, 0.2, 0.3, 0.4 the uniform numbers 0.05, 0.15, 0.59 and 0.99 draw the four actions in turn."""
    chances = np.tile([0.1, 0.2, 0.3, 0.4], (4, 1))
    decisions = decide(chances, np.array([0.05, 0.15, 0.59, 0.99]))
    assert decisions.action.tolist() == [0, 1, 2, 3]
    assert decisions.propensity.tolist() == [0.1, 0.2, 0.3, 0.4]


def test_what_has_no_probability_is_never_drawn() -> None:
    """Where rounding leaves the sum below the uniform number, the last action that is possible is drawn."""
    chances = np.array([[0.5, 0.5 - 1e-12, 0.0]])
    assert decide(chances, np.array([1 - 1e-16])).action.tolist() == [1]


def test_names_where_allowed() -> None:
    """Each row lists the names of its true columns."""
    mask = np.array([[True, False, True], [False, False, False]])
    assert names_where(mask, ("a", "b", "c")).to_pylist() == [["a", "c"], []]
