"""Rows of the medical scenario: scans, notes, sounds of breath, labs and vitals, and what was done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.decisions import names_where
from pipelines.scenarios.layout import Partition, midnight
from pipelines.scenarios.medical import breath, care, labs, note, scan, vitals
from pipelines.scenarios.medical.course import Patients, seen
from pipelines.scenarios.medical.logged import Log, log
from pipelines.scenarios.medical.world import DIAGNOSES, KEY, LAYOUT, SIGNS, TESTS, WORLD
from pipelines.scenarios.quadratic import softmax
from pipelines.scenarios.streams import Ints, Stream, uniforms
from pipelines.scenarios.values import Draw, encoded, rngs, strings

_HOUR = 3_600_000_000  # microseconds
_STEP_HOURS = 4  # between two decisions
_ADMISSION_DAYS = 300  # before the first night, over which the history's patients were admitted
_TESTED = 0.3  # probability that a night's patient has had a test; each on its own


def rows(seed: int, partition: Partition, numbers: Ints) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The given rows of a partition, undamaged: what the pipeline may read, and what is true of them."""
    logged = log(seed, numbers, partition.rows) if partition.is_history else None
    patients = at_night(seed, partition, numbers) if logged is None else logged.patients
    times = _times(patients, partition)
    tail = {} if logged is None else labels(logged)
    known = {**_head(patients, times), **truths(patients)}
    return pa.record_batch({**record(patients, times), **tail}), pa.record_batch(known)


def at_night(seed: int, partition: Partition, numbers: Ints) -> Patients:
    """The patients in these rows of a night, some of them tested already."""
    who = LAYOUT.rows(seed, partition, numbers)
    keys = np.stack([who.subject, who.occasion], axis=1)
    done = uniforms(seed, Stream.OUTCOMES, keys, len(TESTS)) < _TESTED
    return replace(seen(seed, who), done=done)


def _head(patients: Patients, times: Ints) -> dict[str, pa.Array]:
    """Key and event time, from times `[n]` in microseconds."""
    return {KEY: pa.array(LAYOUT.keys(patients.who.subject)), "event_time": pa.array(times).cast(TIMESTAMP)}


def _times(patients: Patients, partition: Partition) -> Ints:
    """In the night, or at the step after admission on an earlier day."""
    who = patients.who
    keys = np.stack([who.subject, who.occasion], axis=1)  # the same for all steps of an episode
    moments = (uniforms(patients.seed, Stream.DAY, keys, 1)[:, 0] * 24 * _HOUR).astype(np.int64)
    days = 2 + who.subject % _ADMISSION_DAYS  # two days: a care of five steps is over before the night
    before = (24 * days - _STEP_HOURS * who.step) * _HOUR if partition.is_history else 0
    times: Ints = midnight(partition.day) + moments - before
    return times


def record(patients: Patients, times: Ints) -> dict[str, pa.Array]:
    """The columns of a night: key, time (`[n]` µs), all five modalities, and which actions may be taken."""
    shown = {name: WORLD.standardized(name, view) for name, view in patients.views.items()}
    tested = labs.Results(patients.found, patients.done)
    admission = times - _STEP_HOURS * patients.who.step * _HOUR  # when the vital signs were taken
    return {
        **_head(patients, times),
        "scan": pa.array(_encoded(patients, "scan", scan.draw), pa.binary()),
        "note": strings(_encoded(patients, "note", note.draw)),
        "breath": pa.array(_encoded(patients, "breath", breath.draw), pa.binary()),
        **labs.draw(_rngs(patients, "labs", 0), shown["labs"], patients.present["labs"], tested),
        "vitals": vitals.draw(_rngs(patients, "vitals", 0), shown["vitals"], patients.present["vitals"], admission),
        "allowed": names_where(patients.allowed(), care.ACTIONS),
    }


def _rngs(patients: Patients, modality: str, step: int | Ints) -> list[np.random.Generator]:
    """A new note and a new recording show what the first ones did; scan, vitals and routine labs stay as they are."""
    who = patients.who
    return rngs(patients.seed, WORLD, modality, who.subject, 10 * who.since_of(modality) + step)


def _encoded(patients: Patients, modality: str, draw: Draw) -> list[bytes | None]:
    step = 0 if modality == "scan" else patients.who.step
    shown = WORLD.standardized(modality, patients.views[modality])
    return encoded(draw, _rngs(patients, modality, step), shown, patients.present[modality])


def labels(logged: Log) -> dict[str, pa.Array]:
    """The history's further columns: the label and the logged decision."""
    return {
        "step": pa.array(logged.patients.who.step, pa.int32()),
        "diagnosis": pa.array(DIAGNOSES).take(pa.array(logged.patients.diagnosis)),
        "action": pa.array(care.ACTIONS).take(pa.array(logged.action)),
        "propensity": pa.array(logged.propensity),
        "reward": pa.array(np.round(logged.reward, 2)),
        "terminated": pa.array(logged.terminated),
        "truncated": pa.array(logged.truncated),
    }


def truths(patients: Patients) -> dict[str, pa.Array]:
    """What no pipeline may read: the signs, what is known at best, and what each action brings in this step."""
    names = (*SIGNS, *(f"test_{name}" for name in TESTS))
    chances, rewards = softmax(patients.log_belief()), care.expected_rewards(patients.diagnosis)
    return {
        "diagnosis": pa.array(DIAGNOSES).take(pa.array(patients.diagnosis)),
        **{name: pa.array(values) for name, values in zip(names, patients.hidden.T, strict=True)},
        **{f"chance_{name}": pa.array(values) for name, values in zip(DIAGNOSES, chances.T, strict=True)},
        **{f"reward_{name}": pa.array(values) for name, values in zip(care.ACTIONS, rewards.T, strict=True)},
    }
