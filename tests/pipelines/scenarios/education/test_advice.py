"""The logging policy."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.education import advice
from pipelines.scenarios.education.courses import COURSES
from pipelines.scenarios.streams import Floats


def advised(skill: float, diligence: float, present: bool = True) -> tuple[Floats, list[str]]:
    """Probabilities of the courses, and the names of those that are allowed."""
    shown = {"grades": np.array([[skill, 0.0, 0.0]]), "activity": np.array([[diligence, 0.0]])}
    there = {"grades": np.array([present]), "activity": np.array([present])}
    allowed = advice.allowed_courses(shown, there)
    return advice.chances(shown, there, allowed)[0], [COURSES[i] for i in np.flatnonzero(allowed[0])]


def test_probabilities_are_at_least_the_floor() -> None:
    """However extreme a pupil is, each allowed course keeps 0.06; what is not allowed has 0."""
    for skill in (-4.0, 0.0, 4.0):
        chances, allowed = advised(skill, 3.0)
        assert chances.sum() == pytest.approx(1)
        for name, chance in zip(COURSES, chances, strict=True):
            assert (chance >= 0.06) if name in allowed else (chance == 0)


def test_the_rule_of_thumb() -> None:
    """Weak pupils are sent to remedial courses, strong ones to projects more often than others are."""
    weak, strong = advised(-2.0, 0.0)[0], advised(2.0, 0.0)[0]
    assert weak[0] > strong[0]
    assert strong[3] > weak[3]
    assert advised(0.0, 2.0)[0][1] > advised(0.0, -2.0)[0][1]


def test_without_grades_everything_is_allowed() -> None:
    """And nobody's absent grades are looked at."""
    chances, allowed = advised(-3.0, 2.0, present=False)
    assert allowed == list(COURSES)
    np.testing.assert_allclose(chances, advised(0.0, 0.0)[0])
