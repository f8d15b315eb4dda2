"""The logging policy: which course is advised, with which probability, from what it can see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.scenarios.decisions import probabilities, weighted
from pipelines.scenarios.education.courses import COURSES
from pipelines.scenarios.education.grades import is_foundation
from pipelines.scenarios.streams import Bools, Floats

FLOOR = 0.06  # least probability of an allowed course: keeps importance weights below 17
# Weights of (grades: skill; activity: diligence), standardized, per course: a plausible rule of thumb rather than a
# good policy, so that there is something to learn from its log.
_WEIGHTS = np.array(
    [
        [-0.6, 0.0],  # remedial
        [0.0, 0.25],  # practice
        [0.35, 0.0],  # advance
        [0.4, 0.0],  # project
    ]
)
_CONSTANT = np.array([0.2, 0.2, 0.0, -0.1])


def allowed_courses(shown: Mapping[str, Floats], present: Mapping[str, Bools]) -> Bools:
    """`[n, 4]`: no advanced course at the level `foundation`; everything else for everybody."""
    allowed = np.ones((len(shown["grades"]), len(COURSES)), dtype=np.bool_)
    allowed[:, COURSES.index("advance")] = ~(is_foundation(shown["grades"][:, 0]) & present["grades"])
    return allowed


def chances(shown: Mapping[str, Floats], present: Mapping[str, Bools], allowed: Bools) -> Floats:
    """`[n, 4]` probability of each course, from standardized views `[n, k]` where they are present."""
    skill = shown["grades"][:, 0] * present["grades"]
    diligence = shown["activity"][:, 0] * present["activity"]
    seen = np.stack([skill, diligence], axis=1)
    return probabilities(weighted(seen, _WEIGHTS) + _CONSTANT, allowed, FLOOR)
