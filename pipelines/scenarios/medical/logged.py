"""The history: episodes of care under the logging policy, one after the other, in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipelines.scenarios.decisions import decide
from pipelines.scenarios.medical import care
from pipelines.scenarios.medical.course import Patients, admitted
from pipelines.scenarios.medical.world import LAYOUT
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, normals, uniforms


class Steps(NamedTuple):
    """Steps of several episodes; every field has a row per step."""

    place: Ints
    """Number of the episode."""
    step: Ints
    done: Bools
    """`[n, 4]` the tests done before."""
    action: Ints
    propensity: Floats
    reward: Floats

    def take(self, rows: Ints | Bools) -> Steps:
        """Some of them."""
        return Steps(
            self.place[rows],
            self.step[rows],
            self.done[rows],
            self.action[rows],
            self.propensity[rows],
            self.reward[rows],
        )


class Log(NamedTuple):
    """Rows of the history, in their order; an episode's rows follow each other."""

    patients: Patients
    """At the time of each decision."""
    action: Ints
    propensity: Floats
    reward: Floats
    terminated: Bools
    """The patient was treated."""
    truncated: Bools
    """The patient was sent elsewhere: what followed is not known."""


def log(seed: int, numbers: Ints, rows: int) -> Log:
    """The rows of these numbers (`[n]`) of a history of `rows` rows.

    A block of rows is filled with the episodes of its candidates (as many as rows, since each needs one at least);
    the episode that fits in part is cut off. Which one that is depends on the lengths of others, not on its own.
    """
    size = LAYOUT.block_rows
    blocks, block = np.unique(numbers // size, return_inverse=True)
    subject = (blocks[:, None] * size + np.arange(size)).reshape(-1)
    patients = admitted(seed, subject)
    steps = _filled(_episodes(patients), size)
    follows = np.append(steps.place[1:] == steps.place[:-1], False)
    follows[size - 1 :: size] = False
    chosen = block * size + numbers % size
    mine = steps.take(chosen)
    terminated = care.ends(mine.action)
    cut = ~terminated & ~(follows[chosen] & (numbers + 1 < rows))
    now = patients.take(mine.place)
    last = (terminated | cut).astype(np.int64)
    now = replace(now, done=mine.done, who=replace(now.who, step=mine.step, last=last))
    return Log(now, mine.action, mine.propensity, mine.reward, terminated, cut)


def _filled(steps: Steps, size: int) -> Steps:
    """The first `size` steps of each block of `size` episodes."""
    block = steps.place // size
    starts = np.searchsorted(block, np.arange(block[-1] + 1))
    return steps.take(np.arange(len(block)) - starts[block] < size)


def _episodes(patients: Patients) -> Steps:
    """All episodes of these patients to their ends, each in the order of its steps."""
    taken = list(_taken(patients))
    joined = Steps(*(np.concatenate(fields) for fields in zip(*taken, strict=True)))
    return joined.take(np.lexsort([joined.step, joined.place]))


def _taken(patients: Patients) -> Iterator[Steps]:
    """The episodes' steps, all first ones, then all second ones …"""
    seed, subject = patients.seed, patients.who.subject
    uniform = uniforms(seed, Stream.OUTCOMES, subject[:, None], care.MOST_STEPS)
    noise = care.BENEFIT_NOISE * normals(seed, Stream.OUTCOMES, np.stack([subject, 0 * subject + 1], axis=1), 1)[:, 0]
    place = np.arange(len(patients))
    for step in range(care.MOST_STEPS):
        made = decide(patients.logged_chances(), uniform[place, step])
        reward = np.take_along_axis(care.expected_rewards(patients.diagnosis), made.action[:, None], axis=1)[:, 0]
        ended = care.ends(made.action)
        reward = reward + ended * noise[place]
        yield Steps(place, np.full_like(place, step), patients.done, made.action, made.propensity, reward)
        patients, place = patients.after(made.action).take(~ended), place[~ended]
