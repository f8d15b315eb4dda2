"""Pupils as they are at some moment: state, latents, what is shown and what is absent; and a term in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pipelines.scenarios.decisions import decide
from pipelines.scenarios.education import advice, courses
from pipelines.scenarios.education.world import GAPS, LAYOUT, WORLD
from pipelines.scenarios.layout import Rows
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, normals, uniforms

HISTORY_PUPILS = 40_000_000  # their numbers start here: nights and simulations number theirs from 0


@dataclass(frozen=True)
class Pupils:
    """`n` pupils waiting for their next course."""

    pupil: Ints
    """`[n]` their numbers."""
    occasion: Ints
    """`[n]` courses taken before; in the nights counted on from LAYOUT.first_night."""
    since: Mapping[str, Ints]
    """Modality -> the occasion at which its value was new; a modality that is not here is new every time."""
    state: Ints
    """`[n]` index in courses.STATES."""

    def since_of(self, modality: str) -> Ints:
        """The occasion `[n]` at which the modality's value was new."""
        return self.since.get(modality, self.occasion)


@dataclass(frozen=True)
class Sight:
    """What pupils hide, show and leave out."""

    hidden: Floats
    """`[n, 8]` latents."""
    shown: Mapping[str, Floats]
    """Modality -> `[n, k]` standardized view."""
    present: Mapping[str, Bools]
    """Modality -> `[n]`."""
    allowed: Bools
    """`[n, 4]` courses that may be chosen."""


def new(seed: int, pupil: Ints) -> Pupils:
    """Pupils (`[n]`) before their first course."""
    state = courses.start(uniforms(seed, Stream.TRAITS, pupil[:, None], len(courses.MOVED)))
    return Pupils(pupil, np.zeros_like(pupil), {}, state)


def at_night(seed: int, who: Rows) -> Pupils:
    """The pupils of a night's rows: they wait for their first course of the term, night after night."""
    return Pupils(who.subject, who.occasion, who.since, new(seed, who.subject).state)


def latents(seed: int, pupils: Pupils) -> Floats:
    """`[n, 8]`: levels of the state, and normal traits that never change."""
    moved = courses.columns_of_moved()
    hidden = np.empty((len(pupils.pupil), len(WORLD.names)))
    hidden[:, moved] = courses.values_of(pupils.state)
    others = [index for index in range(len(WORLD.names)) if index not in moved]
    hidden[:, others] = normals(seed, Stream.STATES, pupils.pupil[:, None], len(others))
    return hidden


def seen(seed: int, pupils: Pupils) -> Sight:
    """What is to be seen of these pupils now."""
    hidden = latents(seed, pupils)
    shown = {
        m: WORLD.standardized(m, WORLD.view(seed, m, pupils.pupil, pupils.since_of(m), hidden))
        for m in WORLD.modalities
    }
    present = GAPS.present(seed, pupils.pupil, pupils.occasion)
    return Sight(hidden, shown, present, advice.allowed_courses(shown, present))


def after(seed: int, pupils: Pupils, course: Ints) -> courses.Taken:
    """What comes of one course each (index, `[n]`), without the noise in rewards."""
    keys = np.stack([pupils.pupil, pupils.occasion], axis=1)
    return courses.take(pupils.state, course, uniforms(seed, Stream.CHANGES, keys, 1)[:, 0])


@dataclass(frozen=True)
class Courses:
    """What was logged of some rows of the history."""

    pupils: Pupils
    sight: Sight
    course: Ints
    """`[n]` index in courses.COURSES."""
    propensity: Floats
    reward: Floats
    """`[n]` without noise."""
    graduated: Bools
    """`[n]` the course was the pupil's last one because he graduated."""
    moment: Floats
    """`[n]` uniform: when in the day."""


def history(seed: int, who: Rows) -> Courses:
    """The given rows of the history: places at school are followed from the term's beginning, so rows stand alone.

    Args:
        seed: of the data set.
        who: its `subject` is the place, its `step` the course of the term.
    """
    place, of = np.unique(who.subject, return_inverse=True)
    pupil = HISTORY_PUPILS + max(LAYOUT.episodes) * place
    running, terms = new(seed, pupil), []
    for _ in range(int(who.step.max(initial=0)) + 1):
        terms.append(logged(seed, running))
        running = _next(seed, terms[-1])
    whole: Courses = _picked(terms, who.step, of)
    return whole


def logged(seed: int, pupils: Pupils) -> Courses:
    """One course each, chosen by the logging policy."""
    sight = seen(seed, pupils)
    draws = uniforms(seed, Stream.EPISODES, np.stack([pupils.pupil, pupils.occasion], axis=1), 2)
    made = decide(advice.chances(sight.shown, sight.present, sight.allowed), draws[:, 0])
    taken = after(seed, pupils, made.action)
    return Courses(
        pupils=pupils,
        sight=sight,
        course=made.action,
        propensity=made.propensity,
        reward=taken.reward,
        graduated=taken.graduates,
        moment=draws[:, 1],
    )


def _next(seed: int, term: Courses) -> Pupils:
    """Who stands in each place next: the same pupil, or a new one where he graduated."""
    pupils, leaves = term.pupils, term.graduated
    fresh = new(seed, pupils.pupil + leaves)
    state = after(seed, pupils, term.course).state
    return Pupils(fresh.pupil, np.where(leaves, 0, pupils.occasion + 1), {}, np.where(leaves, fresh.state, state))


def _picked(items: list[Any], step: Ints, of: Ints) -> Any:
    """Of arrays, or of mappings and dataclasses of them: element i is element `of[i]` of `items[step[i]]`."""
    first = items[0]
    if isinstance(first, np.ndarray):
        return np.stack(items)[step, of]
    if isinstance(first, Mapping):
        return {name: _picked([item[name] for item in items], step, of) for name in first}
    return type(first)(*(_picked([getattr(item, field.name) for item in items], step, of) for field in fields(first)))
