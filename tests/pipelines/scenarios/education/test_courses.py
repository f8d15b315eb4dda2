"""What courses do."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.education import courses
from pipelines.scenarios.education.courses import COURSES, STATES


def state(skill: int, reasoning: int, diligence: int = 0, confidence: int = 1) -> int:
    """Index of a state."""
    return STATES.index((skill, reasoning, diligence, confidence))


def expected(index: int, course: str) -> float:
    """Expected reward of a course in a state."""
    return float(courses.model().expected_reward()[index, COURSES.index(course)])


def test_probabilities_sum_to_one() -> None:
    """In every state every course leads somewhere."""
    np.testing.assert_allclose(courses.model().probability.sum(axis=2), 1)
    assert (courses.model().probability >= 0).all()


def test_expected_rewards_by_hand() -> None:
    """Gain times its probability, minus the cost."""
    # practice with little skill and much diligence succeeds with 0.95: 0.95 * 4 - 4
    assert expected(state(0, 0, 1), "practice") == pytest.approx(-0.2)
    # remedial at low skill: 0.95 * 4 - 7
    assert expected(state(0, 0), "remedial") == pytest.approx(-3.2)
    # advance with skill and without confidence: p = 0.97 * 0.85; p * (6 - 5) + (1 - p) * (-5 - 3)
    assert expected(state(1, 0, confidence=0), "advance") == pytest.approx(0.8245 - 0.1755 * 8)
    # project with skill and reasoning, without confidence: p = 0.98 * 0.85; p * 40 + (1 - p) * 3.5 - 4
    assert expected(state(1, 1, confidence=0), "project") == pytest.approx(0.833 * 40 + 0.167 * 3.5 - 4)


def test_advancing_too_early_fails() -> None:
    """With little skill an advanced course costs, and often confidence; with much it is worth its cost."""
    taken = courses.take(np.full(4_000, state(0, 0)), np.full(4_000, 2), np.arange(4_000) / 4_000)
    assert taken.reward.mean() < -7
    # it fails with 1 - 0.05 and then takes confidence with 0.6
    assert (taken.state == state(0, 0, confidence=0)).mean() == pytest.approx(0.95 * 0.6, abs=0.001)
    assert expected(state(1, 0), "advance") > 0


def test_remedial_courses_waste_the_time_of_strong_pupils() -> None:
    """Nothing changes for them but the cost."""
    taken = courses.take(np.full(100, state(1, 0)), np.zeros(100, int), np.arange(100) / 100)
    assert set(taken.state.tolist()) == {state(1, 0)}
    np.testing.assert_array_equal(taken.reward, -7.0)


def test_only_projects_graduate() -> None:
    """And all but surely where skill and reasoning are high."""
    known = courses.model()
    graduates = (known.probability * known.graduates).sum(axis=2)
    assert (graduates[:, :3] == 0).all()
    assert graduates[state(1, 1), 3] == pytest.approx(0.98)
    assert graduates[state(1, 0), 3] == pytest.approx(0.02)


def test_outcomes_are_drawn_with_their_probabilities() -> None:
    """Evenly spaced uniform numbers give every outcome its share."""
    for index in (0, 7, 15):
        for course in range(4):
            taken = courses.take(np.full(10_000, index), np.full(10_000, course), (np.arange(10_000) + 0.5) / 10_000)
            assert taken.reward.mean() == pytest.approx(courses.model().expected_reward()[index, course], abs=0.005)


def test_new_pupils_have_their_shares() -> None:
    """Levels are drawn independently by their shares; in values their variance is near 1."""
    uniform = np.random.default_rng(0).random((40_000, 4))
    values = courses.values_of(courses.start(uniform))
    for column, shares in zip(values.T, courses.STARTS, strict=True):
        for value, share in zip(courses.VALUES, shares, strict=True):
            assert (column == value).mean() == pytest.approx(share, abs=0.01)
    assert values.var(axis=0) == pytest.approx(0.995, abs=0.01)  # 4 * 0.55 * 0.45 and 4 * 0.5 * 0.5
