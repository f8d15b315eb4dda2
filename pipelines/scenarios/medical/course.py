"""Patients under care: what is true of them, what is seen, and how each action changes that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pipelines.scenarios.base import Acted
from pipelines.scenarios.decisions import probabilities, weighted
from pipelines.scenarios.layout import LAST_NIGHT, Rows, midnight
from pipelines.scenarios.medical import care
from pipelines.scenarios.medical.belief import log_beliefs, with_tests
from pipelines.scenarios.medical.world import GAPS, SIGNS, TESTS, WORLD, diagnoses, signs
from pipelines.scenarios.quadratic import softmax
from pipelines.scenarios.streams import Bools, Floats, Ints

FLOOR = 0.03  # least probability of an allowed action: keeps importance weights of one decision below 34
SEES = ("labs", "vitals")
_PER_REWARD, _TEST = 0.25, 0.0  # a physician in a hurry: two tests in five actions, and not by what they are good for


@dataclass(frozen=True)
class Patients:
    """Some patients at one step of their care; arrays have a row per patient."""

    seed: int
    who: Rows
    diagnosis: Ints
    """`[n]` index in DIAGNOSES."""
    hidden: Floats
    """`[n, 10]` signs, and what each test shows or would show."""
    views: Mapping[str, Floats]
    """Modality -> `[n, k]`, not standardized."""
    present: Mapping[str, Bools]
    """Modality -> `[n]`; of the labs: those that are drawn from everybody."""
    done: Bools
    """`[n, 4]` which tests were done."""

    def __len__(self) -> int:
        return len(self.diagnosis)

    @property
    def found(self) -> Floats:
        """`[n, 4]` what each test shows or would show."""
        return self.hidden[:, len(SIGNS) :]

    def log_belief(self, modalities: tuple[str, ...] = WORLD.modalities) -> Floats:
        """`[n, 4]` log p(diagnosis, what these modalities show) up to a constant; the labs show the tests too."""
        known = log_beliefs(self.views, self.present, modalities)
        return with_tests(known, self.found, self.done) if "labs" in modalities else known

    def allowed(self) -> Bools:
        """`[n, 8]`"""
        return care.allowed_actions(self.done)

    def logged_chances(self) -> Floats:
        """`[n, 8]` the logging policy: it knows labs, tests and vitals, neither scan nor note nor sound."""
        expected = weighted(softmax(self.log_belief(SEES)), care.BENEFITS)
        tests = np.full((len(self), len(TESTS)), _TEST)
        return probabilities(np.concatenate([tests, _PER_REWARD * expected], axis=1), self.allowed(), FLOOR)

    def take(self, rows: Ints | Bools) -> Patients:
        """Some of them."""
        who = replace(
            self.who,
            **{name: getattr(self.who, name)[rows] for name in ("subject", "occasion", "step", "last")},
            since={name: steps[rows] for name, steps in self.who.since.items()},
        )
        return replace(
            self,
            who=who,
            diagnosis=self.diagnosis[rows],
            hidden=self.hidden[rows],
            views={name: view[rows] for name, view in self.views.items()},
            present={name: mask[rows] for name, mask in self.present.items()},
            done=self.done[rows],
        )

    def after(self, action: Ints) -> Patients:
        """The same patients a step later."""
        return replace(self, who=replace(self.who, step=self.who.step + 1), done=care.after(self.done, action))


def admitted(seed: int, subject: Ints) -> Patients:
    """Patients (`[n]`) at the first step of their care."""
    zero = np.zeros_like(subject)
    return seen(seed, Rows(subject, zero, dict.fromkeys(("scan", "note"), zero), zero, zero))


def seen(seed: int, who: Rows) -> Patients:
    """Patients as they are at these occasions, before any test."""
    diagnosis = diagnoses(seed, who.subject)
    hidden = signs(diagnosis, WORLD.latents(seed, who.subject, who.occasion))
    return Patients(
        seed=seed,
        who=who,
        diagnosis=diagnosis,
        hidden=hidden,
        views={name: _view(seed, who, name, diagnosis, hidden) for name in WORLD.modalities},
        present=GAPS.present(seed, who.subject, who.occasion),
        done=np.zeros((len(diagnosis), len(TESTS)), dtype=np.bool_),
    )


def _view(seed: int, who: Rows, modality: str, diagnosis: Ints, hidden: Floats) -> Floats:
    since = who.since_of(modality)
    if not np.array_equal(since, who.occasion):
        hidden = signs(diagnosis, WORLD.latents(seed, who.subject, since))
    return WORLD.view(seed, modality, who.subject, since, hidden)


@dataclass(frozen=True)
class Course:
    """Episodes of care (see `base.Episodes`)."""

    patients: Patients

    def records(self) -> pa.RecordBatch:
        """What the pipeline would read of them now."""
        from pipelines.scenarios.medical.rows import record  # which knows this module

        times = np.full(len(self.patients), midnight(LAST_NIGHT))
        return pa.record_batch(record(self.patients, times))

    def allowed(self) -> Bools:
        """`[n, 8]`"""
        return self.patients.allowed()

    def act(self, action: Ints) -> Acted:
        """Expected rewards of these actions, and the patients who were tested rather than treated."""
        rewards = care.expected_rewards(self.patients.diagnosis)
        runs_on = ~care.ends(action)
        following = Course(self.patients.after(action).take(runs_on))
        return Acted(np.take_along_axis(rewards, action[:, None], axis=1)[:, 0], runs_on, following)


def begin(seed: int, subjects: Ints) -> Course:
    """The care of these patients (`[n]`)."""
    return Course(admitted(seed, subjects))
