"""Policies over what is allowed: greedy, softmax, mixed, and how an action is drawn."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.heads._policy import draw, greedy, mixed, row_uniforms, softmax

PREFERENCES = np.array([[1.0, 3.0, 2.0], [2.0, 2.0, 1.0]])
ALL = np.ones((2, 3), np.bool_)
SOME = np.array([[True, False, True], [False, False, False]])


def test_greedy_takes_the_largest_of_what_is_allowed() -> None:
    """The first of equals; nothing where nothing is allowed."""
    assert greedy(PREFERENCES, ALL).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert greedy(PREFERENCES, SOME).tolist() == [[0, 0, 1], [0, 0, 0]]


def test_softmax_normalizes_over_what_is_allowed() -> None:
    """Preferences 1 and 2: e/(e + e²) = 1/(1 + e); huge preferences overflow nothing."""
    found = softmax(PREFERENCES, SOME)
    assert found[0].tolist() == pytest.approx([1 / (1 + np.e), 0, np.e / (1 + np.e)])
    assert found[1].tolist() == [0, 0, 0]
    assert softmax(np.array([[1e5, -1e5]]), np.ones((1, 2), np.bool_)).tolist() == [[1, 0]]


def test_mixing_gives_every_allowed_action_its_share() -> None:
    """ε = 0.2 over three actions: 0.2/3 each, and 0.8 to the best; over two of them: 0.1 each."""
    assert mixed(greedy(PREFERENCES, ALL), ALL, 0.2)[0].tolist() == pytest.approx([0.2 / 3, 0.8 + 0.2 / 3, 0.2 / 3])
    assert mixed(greedy(PREFERENCES, SOME), SOME, 0.2).tolist() == [[0.1, 0, 0.9], [0, 0, 0]]


@pytest.mark.parametrize(("uniform", "action"), [(0.0, 1), (0.24, 1), (0.25, 2), (0.999999, 2)])
def test_actions_are_drawn_by_their_probabilities(uniform: float, action: int) -> None:
    """Of 0, 1/4, 3/4 and 0: numbers below 1/4 give the second action, others the third."""
    assert draw(np.array([[0, 0.25, 0.75, 0]]), np.array([uniform])).tolist() == [action]


def test_nothing_is_drawn_from_nothing() -> None:
    """A row without probabilities has no action."""
    assert draw(np.zeros((1, 3)), np.array([0.5])).tolist() == [-1]


@given(
    st.lists(st.floats(0, 1, width=16), min_size=2, max_size=6).filter(lambda p: sum(p) > 0),
    st.floats(0, 1, exclude_max=True) | st.just(float(np.nextafter(1, 0))),
)
def test_what_has_no_probability_is_never_drawn(weights: list[float], uniform: float) -> None:
    """Whatever the rounding of their sum."""
    policy = np.array([weights]) / sum(weights)
    [action] = draw(policy, np.array([uniform]))
    assert policy[0, action] > 0


def test_a_rows_number_depends_on_its_key_and_the_purpose_alone() -> None:
    """Not on the batch; another night draws anew."""
    keys = pa.array(["a", "b", "c"])
    numbers = row_uniforms(keys, "job/2024-01-01/offer")
    assert row_uniforms(keys.slice(1, 1), "job/2024-01-01/offer").tolist() == [numbers[1]]
    assert (row_uniforms(keys, "job/2024-01-02/offer") != numbers).all()


def test_rows_numbers_are_even() -> None:
    """20,000 keys in ten bins of 2,000 ± 42: none is off by 5 standard deviations, and all lie in [0, 1)."""
    numbers = row_uniforms(pa.array(range(20_000)), "purpose")
    counts = np.histogram(numbers, bins=10, range=(0, 1))[0]
    assert (counts.sum(), np.abs(counts - 2000).max() < 5 * 42.4) == (20_000, True)
