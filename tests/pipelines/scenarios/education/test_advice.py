"""The logging policy."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.education import advice
from pipelines.scenarios.education.courses import COURSES
from pipelines.scenarios.streams import Floats


def advised(
    skill: float, reasoning: float, diligence: float, graded: float = 0.0, present: bool = True
) -> tuple[Floats, list[str]]:
    """Probabilities of the courses, and the names of those that are allowed."""
    shown = {
        "answer": np.array([[skill, 0.0]]),
        "essay": np.array([[0.0, reasoning]]),
        "activity": np.array([[diligence, 0.0]]),
        "grades": np.array([[graded, 0.0, 0.0]]),
    }
    there = dict.fromkeys(shown, np.array([present]))
    allowed = advice.allowed_courses(shown, there)
    return advice.chances(shown, there, allowed)[0], [COURSES[i] for i in np.flatnonzero(allowed[0])]


def test_probabilities_are_at_least_the_floor() -> None:
    """However extreme a pupil is, each allowed course keeps 0.07; what is not allowed has 0."""
    for skill, graded in ((-4.0, -2.0), (0.0, 0.0), (4.0, -2.0), (4.0, 2.0)):
        chances, allowed = advised(skill, 3.0, -3.0, graded)
        assert chances.sum() == pytest.approx(1)
        for name, chance in zip(COURSES, chances, strict=True):
            assert (chance >= 0.07) if name in allowed else (chance == 0)


def test_the_rule_of_thumb() -> None:
    """Remedial courses for the weak, practice for the diligent, projects for who is strong in both, else advance."""
    assert advised(-1.5, 0.0, -1.5)[0].argmax() == COURSES.index("remedial")
    assert advised(-1.5, 0.0, 1.5)[0].argmax() == COURSES.index("practice")
    assert advised(1.5, -1.5, 0.0)[0].argmax() == COURSES.index("advance")
    assert advised(1.5, 1.5, 0.0)[0].argmax() == COURSES.index("project")


def test_habit_is_strong() -> None:
    """Even in the clearest cases another course is chosen in a third of the cases: there is something to learn from."""
    for case in ((-1.5, 0.0, -1.5), (1.5, -1.5, 0.0), (1.5, 1.5, 0.0)):
        assert advised(*case)[0].max() < 2 / 3


def test_without_records_everything_is_allowed() -> None:
    """And nothing absent is looked at."""
    chances, allowed = advised(-3.0, 2.0, 2.0, graded=-3.0, present=False)
    assert allowed == list(COURSES)
    np.testing.assert_allclose(chances, advised(0.0, 0.0, 0.0)[0])
