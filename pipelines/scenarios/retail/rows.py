"""Rows of the retail scenario: customers of a shop, with photos, reviews, voice notes, profiles and visits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.decisions import decide, names_where
from pipelines.scenarios.layout import LAST_NIGHT, Partition, Rows, midnight
from pipelines.scenarios.onestep import OneStep
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.retail import offers, photo, profile, review, visits, voice
from pipelines.scenarios.retail.outcomes import CHURN_LOGIT, OFFERS, REVENUE_NOISE, SPEND, SPEND_NOISE, revenues
from pipelines.scenarios.retail.world import GAPS, KEY, LAYOUT, WORLD
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, generator
from pipelines.scenarios.values import Draw, encoded, rngs, strings

_DAY = 86_400_000_000  # microseconds


class Situation(NamedTuple):
    """All that is decided about some rows before anything is drawn or recorded."""

    who: Rows
    times: Ints
    """`[n]` microseconds since 1970."""
    hidden: Floats
    """`[n, 8]` latents."""
    shown: Mapping[str, Floats]
    """Modality -> `[n, k]` standardized view."""
    present: Mapping[str, Bools]
    """Modality -> `[n]`."""
    chance: Mapping[str, Floats]
    """`[n]` draws of what happens: uniform `moment`, `churn` and `offer`, normal `spend` and `revenue`."""

    @property
    def allowed(self) -> Bools:
        """`[n, 4]` which offers may be made."""
        return offers.allowed_offers(self.shown, self.present)


def rows(seed: int, partition: Partition, numbers: Ints) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The given rows of a partition, undamaged: what the pipeline may read, and what is true of them."""
    now = situation(seed, partition, numbers)
    tail = labels(now) if partition.is_history else {}
    return pa.record_batch({**record(seed, now), **tail}), pa.record_batch({**head(now), **truths(now)})


def begin(seed: int, subjects: Ints) -> OneStep:
    """Decisions about these customers (`[n]`), each at its first visit."""
    first = np.zeros_like(subjects)
    who = Rows(subjects, first, dict.fromkeys(LAYOUT.changes, first), first, first + 1)
    now = _situation(seed, who, np.full_like(subjects, midnight(LAST_NIGHT)))
    return OneStep(pa.record_batch(record(seed, now)), now.allowed, revenues(now.hidden))


def situation(seed: int, partition: Partition, numbers: Ints) -> Situation:
    """Who stands in the given rows (`[n]`) of a partition, what they hide, show and leave out."""
    who = LAYOUT.rows(seed, partition, numbers)
    now = _situation(seed, who, np.zeros_like(numbers))
    moments = (now.chance["moment"] * _DAY).astype(np.int64)
    return now._replace(times=LAYOUT.event_times(who, partition, moments))


def _situation(seed: int, who: Rows, times: Ints) -> Situation:
    keys = zip(who.subject.tolist(), who.occasion.tolist(), strict=True)
    each = [generator(seed, Stream.OUTCOMES, *key) for key in keys]
    uniform, normal = np.array([rng.random(3) for rng in each]), np.array([rng.standard_normal(2) for rng in each])
    draws = (*uniform.T, *normal.T)
    hidden = WORLD.latents(seed, who.subject, who.occasion)
    return Situation(
        who=who,
        times=times,
        hidden=hidden,
        shown={name: WORLD.standardized(name, _view(seed, who, name, hidden)) for name in WORLD.modalities},
        present=GAPS.present(seed, who.subject, who.occasion),
        chance=dict(zip(("moment", "churn", "offer", "spend", "revenue"), draws, strict=True)),
    )


def _view(seed: int, who: Rows, modality: str, hidden: Floats) -> Floats:
    """What the modality shows of the occasion at which its value was new; `hidden` are the latents of today."""
    since = who.since_of(modality)
    if not np.array_equal(since, who.occasion):
        hidden = WORLD.latents(seed, who.subject, since)
    return WORLD.view(seed, modality, who.subject, since, hidden)


def head(now: Situation) -> dict[str, pa.Array]:
    """Key and event time."""
    return {KEY: pa.array(LAYOUT.keys(now.who.subject)), "event_time": pa.array(now.times).cast(TIMESTAMP)}


def record(seed: int, now: Situation) -> dict[str, pa.Array]:
    """The columns of a night: key, time, all five modalities, and which offers may be made."""
    who, shown, present = now.who, now.shown, now.present
    tables, series = (rngs(seed, WORLD, name, who.subject, who.occasion) for name in ("profile", "visits"))
    return {
        **head(now),
        "photo": pa.array(_encoded(seed, now, "photo", photo.draw), pa.binary()),
        "review": strings(_encoded(seed, now, "review", review.draw)),
        "call": pa.array(_encoded(seed, now, "call", voice.draw), pa.binary()),
        **profile.draw(tables, shown["profile"], present["profile"]),
        "visits": visits.draw(series, shown["visits"], present["visits"], now.times),
        "allowed": names_where(now.allowed, OFFERS),
    }


def _encoded(seed: int, now: Situation, modality: str, draw: Draw) -> list[bytes | None]:
    each = rngs(seed, WORLD, modality, now.who.subject, now.who.since_of(modality))
    return encoded(draw, each, now.shown[modality], now.present[modality])


def labels(now: Situation) -> dict[str, pa.Array]:
    """The history's further columns: labels and the logged decision."""
    allowed = now.allowed
    made = decide(offers.chances(now.shown, now.present, allowed), now.chance["offer"])
    expected = np.take_along_axis(revenues(now.hidden), made.action[:, None], axis=1)[:, 0]
    return {
        "step": pa.array(now.who.step, pa.int32()),
        "churned": pa.array(now.chance["churn"] < sigmoid(CHURN_LOGIT(now.hidden))),
        "spend_next_30d": pa.array(np.round(SPEND(now.hidden) + SPEND_NOISE * now.chance["spend"], 2)),
        "offer": pa.array(OFFERS).take(pa.array(made.action)),
        "propensity": pa.array(made.propensity),
        "revenue": pa.array(np.round(expected + REVENUE_NOISE * now.chance["revenue"], 2)),
        "terminated": pa.array(now.who.last == 1),
    }


def truths(now: Situation) -> dict[str, pa.Array]:
    """What no pipeline may read: latents, the chances that follow from them, and what each offer would bring."""
    return {
        **{name: pa.array(values) for name, values in zip(WORLD.names, now.hidden.T, strict=True)},
        "churn_probability": pa.array(sigmoid(CHURN_LOGIT(now.hidden))),
        "spend_expected": pa.array(SPEND(now.hidden)),
        **{f"revenue_{o}": pa.array(v) for o, v in zip(OFFERS, revenues(now.hidden).T, strict=True)},
        **{f"{m}_is_new": pa.array(now.who.since_of(m) == now.who.occasion) for m in LAYOUT.changes},
    }
