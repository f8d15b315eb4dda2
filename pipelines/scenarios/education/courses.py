"""What courses do: levels of skill, reasoning, diligence and confidence, and how each course moves them."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.scenarios.education.world import WORLD
from pipelines.scenarios.streams import Floats, Ints

COURSES = ("remedial", "practice", "advance", "project")
GAMMA = 0.9

LEVELS = 2  # of each of MOVED: low, high
VALUES = np.array([-1.0, 1.0])  # of the levels: their variance is near 1, like that of the other latents
MOVED = ("skill", "reasoning", "diligence", "confidence")
"""Latents that have levels: the state that courses depend on. Diligence helps but is not changed."""
STARTS = ((0.55, 0.45), (0.55, 0.45), (0.5, 0.5), (0.5, 0.5))
"""For each of MOVED, shares of the levels among new pupils, each independent of the others."""

Level: TypeAlias = tuple[int, int, int, int]
_EACH = range(LEVELS)
STATES: tuple[Level, ...] = tuple(product(_EACH, _EACH, _EACH, _EACH))
"""All 16 states; a pupil's state is an index in here."""

# Probability of success by level, and what it brings; costs are what a course takes of everybody's time.
_REMEDIAL = (0.95, 0.0)  # by skill: fills gaps, with or without diligence; strong pupils only lose time
_PRACTICE = (1.0, 0.0)  # by skill: exercises alone …
_DILIGENT = (0.1, 0.95)  # … times by diligence
_ADVANCE = (0.05, 0.97)  # by skill: new material; too early it fails …
_CALM = (0.85, 1.0)  # … times by confidence
_PROJECT = (0.02, 0.98)  # by the lower one of skill and reasoning: on success the pupil graduates …
_BOLD = (0.85, 1.0)  # … times by confidence
_LIFT = 0.5  # probability that a remedial course that helps makes more confident
_BLOW = 0.6  # probability that failing an advanced course makes less confident
SKILL_GAIN, REASONING_GAIN, GRADUATION, ATTEMPT = 4.0, 6.0, 40.0, 3.5  # points
COSTS = (7.0, 4.0, 5.0, 4.0)  # points
FAILURE = 3.0  # points that failing an advanced course costs beyond its time
REWARD_NOISE = 1.0  # standard deviation in points of what no course explains


class Outcome(NamedTuple):
    """One thing that a course may lead to."""

    probability: float
    state: int
    """Index in STATES; where the pupil graduates, the state that he leaves in."""
    reward: float
    """Learning gain minus cost, in points."""
    graduates: bool


class Model(NamedTuple):
    """All outcomes of all courses, as arrays; S states, A courses, O outcomes at most."""

    probability: Floats
    """`[S, A, O]`, 0 where there are fewer outcomes"""
    state: Ints
    """`[S, A, O]`"""
    reward: Floats
    """`[S, A, O]`"""
    graduates: npt.NDArray[np.bool_]
    """`[S, A, O]`"""

    def expected_reward(self) -> Floats:
        """`[S, A]`"""
        expected: Floats = (self.probability * self.reward).sum(axis=2)
        return expected


def outcomes(level: Level, course: str) -> list[Outcome]:
    """What may come of a course for a pupil of these levels; probabilities sum to 1."""
    skill, reasoning, diligence, confidence = level
    stay = _state(level)
    if course == "remedial":
        return _remedial(level)
    if course == "practice":
        gain = _PRACTICE[skill] * _DILIGENT[diligence]
        better = _state((min(skill + 1, LEVELS - 1), reasoning, diligence, confidence))
        return [Outcome(gain, better, SKILL_GAIN - COSTS[1], False), Outcome(1 - gain, stay, -COSTS[1], False)]
    if course == "advance":
        return _advance(level)
    passed = _PROJECT[min(skill, reasoning)] * _BOLD[confidence]
    return [Outcome(passed, stay, GRADUATION - COSTS[3], True), Outcome(1 - passed, stay, ATTEMPT - COSTS[3], False)]


def _remedial(level: Level) -> list[Outcome]:
    skill, reasoning, diligence, confidence = level
    gain, better = _REMEDIAL[skill], min(skill + 1, LEVELS - 1)
    braver = _state((better, reasoning, diligence, min(confidence + 1, LEVELS - 1)))
    return [
        Outcome(gain * _LIFT, braver, SKILL_GAIN - COSTS[0], False),
        Outcome(gain * (1 - _LIFT), _state((better, reasoning, diligence, confidence)), SKILL_GAIN - COSTS[0], False),
        Outcome(1 - gain, _state(level), -COSTS[0], False),
    ]


def _advance(level: Level) -> list[Outcome]:
    skill, reasoning, diligence, confidence = level
    passed = _ADVANCE[skill] * _CALM[confidence]
    gain = REASONING_GAIN if reasoning < LEVELS - 1 else 0.0
    shaken = _state((skill, reasoning, diligence, max(confidence - 1, 0)))
    return [
        Outcome(passed, _state((skill, min(reasoning + 1, LEVELS - 1), diligence, confidence)), gain - COSTS[2], False),
        Outcome((1 - passed) * _BLOW, shaken, -COSTS[2] - FAILURE, False),
        Outcome((1 - passed) * (1 - _BLOW), _state(level), -COSTS[2] - FAILURE, False),
    ]


def _state(level: Level) -> int:
    return int(np.ravel_multi_index(level, (LEVELS,) * len(MOVED)))


@cache
def model() -> Model:
    """The outcomes of every course in every state."""
    listed = [[outcomes(level, course) for course in COURSES] for level in STATES]
    most = max(len(found) for row in listed for found in row)
    nothing = Outcome(0.0, 0, 0.0, False)
    filled = [[found + [nothing] * (most - len(found)) for found in row] for row in listed]
    columns = [np.array([[[one[i] for one in found] for found in row] for row in filled]) for i in range(4)]
    return Model(*columns)


def start(uniform: Floats) -> Ints:
    """`[n]` states of new pupils, from uniform numbers `[n, 4]`."""
    columns = zip(STARTS, uniform.T, strict=True)
    levels = [np.searchsorted(np.cumsum(shares)[:-1], draws, side="right") for shares, draws in columns]
    return np.asarray(np.ravel_multi_index(tuple(levels), (LEVELS,) * len(MOVED)), dtype=np.int64)


def values_of(state: Ints) -> Floats:
    """`[n, 4]` skill, reasoning, diligence and confidence of states `[n]`."""
    return np.asarray(VALUES[np.array(STATES)[state]])


class Taken(NamedTuple):
    """What came of one course per pupil."""

    state: Ints
    reward: Floats
    graduates: npt.NDArray[np.bool_]


def take(state: Ints, course: Ints, uniform: Floats) -> Taken:
    """One course each (index, `[n]`) for pupils in these states `[n]`, from uniform numbers `[n]`."""
    known = model()
    chances = known.probability[state, course].cumsum(axis=1)  # [n, O]
    drawn = (chances[:, :-1] <= uniform[:, None]).sum(axis=1)
    return Taken(*(array[state, course, drawn] for array in (known.state, known.reward, known.graduates)))


def columns_of_moved() -> list[int]:
    """Where the latents with levels stand in the world."""
    return [WORLD.names.index(name) for name in MOVED]
