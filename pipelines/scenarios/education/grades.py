"""A pupil's grades: points, attendance and the level of the class, which show skill, language and diligence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.scenarios.streams import Bools, Floats

NUMERIC = (
    "mathematics", "science", "language_points", "reading", "attendance", "homework_done", "age", "lessons_a_week",
)  # fmt: skip
CATEGORICAL = ("level", "school", "spoken_at_home")

LEVELS = ("foundation", "core", "extended", "honours")
LEVEL_BOUNDS = (-0.95, 0.3, 1.2)  # of the skill shown (standardized): 17 %, 45 %, 26 % and 12 % of the pupils
SCHOOLS = ("village", "town", "city", "boarding", "online")
_SCHOOL_SHARES = (0.22, 0.4, 0.28, 0.04, 0.06)
HOMES = ("the_same", "another", "both", "sign")
_HOME_SHARES = (0.6, 0.2, 0.18, 0.02)
_GAP = 0.03  # share of single values that are null in a record that is there
_DRAWS = 32  # uniform numbers per row, more than are used, so that a new column need not shift the others


def is_foundation(skill: Floats) -> Bools:
    """Whether grades that show this skill (standardized, `[n]`) put the pupil into the level `foundation`."""
    return skill < LEVEL_BOUNDS[0]


def draw(each: Sequence[np.random.Generator], shown: Floats, present: Bools) -> dict[str, pa.Array]:
    """Columns of the grades; null where they are absent, and here and there where they are present.

    Args:
        each: one generator per row.
        shown: `[n, 3]` standardized view: skill, language, diligence.
        present: `[n]`.
    """
    normal = np.array([rng.standard_normal(len(NUMERIC)) for rng in each]).reshape(-1, len(NUMERIC))
    uniform = np.array([rng.random(_DRAWS) for rng in each]).reshape(-1, _DRAWS)
    values = {**_numbers(shown, normal), **_categories(shown[:, 0], uniform)}
    gaps = uniform[:, : len(NUMERIC) + len(CATEGORICAL)] < _GAP
    gaps[:, len(NUMERIC)] = False  # the level is never missing: what is allowed depends on it
    names = (*NUMERIC, *CATEGORICAL)
    return {name: pa.array(values[name], mask=gaps[:, i] | ~present) for i, name in enumerate(names)}


def _numbers(shown: Floats, normal: Floats) -> dict[str, Floats]:
    skill, language, diligence = shown.T
    mathematics, science, written, reading, attendance, homework, age, lessons = normal.T
    return {
        "mathematics": np.clip(np.round(58 + 15 * (skill + 0.12 * mathematics), 1), 0, 100),
        "science": np.clip(np.round(60 + 13 * (skill + 0.2 * science), 1), 0, 100),
        "language_points": np.clip(np.round(61 + 14 * (language + 0.12 * written), 1), 0, 100),
        "reading": np.clip(np.round(50 + 12 * (language + 0.2 * reading), 1), 0, 100),
        "attendance": np.round(1 / (1 + np.exp(-2.2 - 0.7 * (diligence + 0.15 * attendance))), 3),
        "homework_done": np.round(1 / (1 + np.exp(-0.8 - 0.9 * (diligence + 0.12 * homework))), 3),
        "age": np.round(13.5 + 1.2 * age, 1),
        "lessons_a_week": np.round(29 + 2 * lessons),
    }


def _categories(skill: Floats, uniform: Floats) -> dict[str, list[str]]:
    school, home = uniform[:, -1], uniform[:, -2]
    return {
        "level": [LEVELS[i] for i in np.searchsorted(LEVEL_BOUNDS, skill, side="right")],
        "school": [SCHOOLS[i] for i in np.searchsorted(np.cumsum(_SCHOOL_SHARES[:-1]), school, side="right")],
        "spoken_at_home": [HOMES[i] for i in np.searchsorted(np.cumsum(_HOME_SHARES[:-1]), home, side="right")],
    }
