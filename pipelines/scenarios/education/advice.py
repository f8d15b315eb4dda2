"""The logging policy: which course is advised, with which probability, from what it can see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.scenarios.decisions import probabilities, weighted
from pipelines.scenarios.education.courses import COURSES
from pipelines.scenarios.education.grades import is_foundation
from pipelines.scenarios.streams import Bools, Floats

SEES = (("answer", 0), ("essay", 1), ("activity", 0))
"""Modalities and columns of their views: skill, reasoning, diligence."""
FLOOR = 0.07  # least probability of an allowed course: keeps importance weights of a single decision below 15
# Weights of (answer: skill; essay: reasoning; activity: diligence), standardized, per course: the rule of thumb of a
# teacher who often follows habit. Not a good policy, so that there is something to learn from its log; but one that
# does often enough what a good one would do, so that the log can tell what that is worth.
_WEIGHTS = np.array(
    [
        [-0.6, 0.0, -0.5],  # remedial
        [-0.5, 0.0, 0.5],  # practice
        [0.7, -0.6, 0.0],  # advance
        [0.5, 0.5, 0.0],  # project
    ]
)
_CONSTANT = np.array([0.0, 0.0, 0.0, -0.2])


def allowed_courses(shown: Mapping[str, Floats], present: Mapping[str, Bools]) -> Bools:
    """`[n, 4]`: no advanced course at the level `foundation`; everything else for everybody."""
    allowed = np.ones((len(shown["grades"]), len(COURSES)), dtype=np.bool_)
    allowed[:, COURSES.index("advance")] = ~(is_foundation(shown["grades"][:, 0]) & present["grades"])
    return allowed


def chances(shown: Mapping[str, Floats], present: Mapping[str, Bools], allowed: Bools) -> Floats:
    """`[n, 4]` probability of each course, from standardized views `[n, k]` where they are present."""
    seen = np.stack([shown[m][:, index] * present[m] for m, index in SEES], axis=1)
    return probabilities(weighted(seen, _WEIGHTS) + _CONSTANT, allowed, FLOOR)
