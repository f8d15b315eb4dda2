"""Rows of the education scenario: pupils with handwritten and spoken answers, essays, grades and practice sessions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.decisions import names_where
from pipelines.scenarios.education import activity, answer, courses, essay, grades, planning, pupils, speech
from pipelines.scenarios.education.courses import COURSES
from pipelines.scenarios.education.outcomes import MASTERED_LOGIT, NEXT_SCORE, SCORE_NOISE
from pipelines.scenarios.education.pupils import Courses, Pupils, Sight
from pipelines.scenarios.education.world import KEY, LAYOUT, WORLD
from pipelines.scenarios.layout import Partition
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, generator, uniforms
from pipelines.scenarios.values import Draw, encoded, rngs, strings

_DAY = 86_400_000_000  # microseconds


class Chance(NamedTuple):
    """Draws of what happens beside the course."""

    mastered: Floats
    """`[n]` uniform."""
    score: Floats
    """`[n]` normal."""
    gain: Floats
    """`[n]` normal."""


def rows(seed: int, partition: Partition, numbers: Ints) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The given rows of a partition, undamaged: what the pipeline may read, and what is true of them."""
    who = LAYOUT.rows(seed, partition, numbers)
    if not partition.is_history:
        now = pupils.at_night(seed, who)
        moment = uniforms(seed, Stream.OUTCOMES, np.stack([now.pupil, now.occasion], axis=1), 1)[:, 0]
        times = LAYOUT.event_times(who, partition, (moment * _DAY).astype(np.int64))
        sight = pupils.seen(seed, now)
        return pa.record_batch(record(seed, now, sight, times)), pa.record_batch(truths(now, sight, times))
    log = pupils.history(seed, who)
    times = LAYOUT.event_times(who, partition, (log.moment * _DAY).astype(np.int64))
    tail = labels(seed, log, who.last == 1)
    batch = pa.record_batch({**record(seed, log.pupils, log.sight, times), **tail})
    return batch, pa.record_batch(truths(log.pupils, log.sight, times))


def head(now: Pupils, times: Ints) -> dict[str, pa.Array]:
    """Key and event time."""
    return {KEY: pa.array(LAYOUT.keys(now.pupil)), "event_time": pa.array(times).cast(TIMESTAMP)}


def record(seed: int, now: Pupils, sight: Sight, times: Ints) -> dict[str, pa.Array]:
    """The columns of a night: key, time, all five modalities, and the courses that may be chosen."""
    shown, present = sight.shown, sight.present
    tables, series = (rngs(seed, WORLD, name, now.pupil, now.occasion) for name in ("grades", "activity"))

    def values(modality: str, draw: Draw) -> list[bytes | None]:
        each = rngs(seed, WORLD, modality, now.pupil, now.since_of(modality))
        return encoded(draw, each, shown[modality], present[modality])

    return {
        **head(now, times),
        "answer": pa.array(values("answer", answer.draw), pa.binary()),
        "essay": strings(values("essay", essay.draw)),
        "speech": pa.array(values("speech", speech.draw), pa.binary()),
        **grades.draw(tables, shown["grades"], present["grades"]),
        "activity": activity.draw(series, shown["activity"], present["activity"], times),
        "allowed": names_where(sight.allowed, COURSES),
    }


def chance(seed: int, now: Pupils) -> Chance:
    """What happens beside the course, for each pupil at each occasion by itself."""
    keys = zip(now.pupil.tolist(), now.occasion.tolist(), strict=True)
    each = [generator(seed, Stream.OUTCOMES, *key) for key in keys]
    drawn = np.array([(rng.random(), *rng.standard_normal(2)) for rng in each]).reshape(-1, 3)
    return Chance(*drawn.T)


def labels(seed: int, log: Courses, is_last: Bools) -> dict[str, pa.Array]:
    """The history's further columns: labels and the logged decision."""
    beside, hidden = chance(seed, log.pupils), log.sight.hidden
    return {
        "step": pa.array(log.pupils.occasion, pa.int32()),
        "mastered": pa.array(beside.mastered < sigmoid(MASTERED_LOGIT(hidden))),
        "next_score": pa.array(np.round(NEXT_SCORE(hidden) + SCORE_NOISE * beside.score, 1)),
        "course": pa.array(COURSES).take(pa.array(log.course)),
        "propensity": pa.array(log.propensity),
        "gain": pa.array(np.round(log.reward + courses.REWARD_NOISE * beside.gain, 2)),
        "terminated": pa.array(log.graduated),
        "truncated": pa.array(is_last & ~log.graduated),
    }


def truths(now: Pupils, sight: Sight, times: Ints) -> dict[str, pa.Array]:
    """What no pipeline may read: latents, the chances that follow from them, and what each course would bring."""
    gains, values = courses.model().expected_reward()[now.state], planning.optimal()[now.state]
    return {
        **head(now, times),
        **{name: pa.array(column) for name, column in zip(WORLD.names, sight.hidden.T, strict=True)},
        "mastered_probability": pa.array(sigmoid(MASTERED_LOGIT(sight.hidden))),
        "next_score_expected": pa.array(NEXT_SCORE(sight.hidden)),
        **{f"gain_{name}": pa.array(column) for name, column in zip(COURSES, gains.T, strict=True)},
        **{f"value_{name}": pa.array(column) for name, column in zip(COURSES, values.T, strict=True)},
        **{f"{m}_is_new": pa.array(now.since_of(m) == now.occasion) for m in LAYOUT.changes},
    }
