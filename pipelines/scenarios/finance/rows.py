"""Rows of the finance scenario: the five modalities, labels, the logged decision on the limit, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.decisions import decide, names_where
from pipelines.scenarios.finance import accounts, call, decisions, document, news, transactions
from pipelines.scenarios.finance.outcomes import (
    DEFAULT_LOGIT,
    LIMITS,
    PROFIT_NOISE,
    UTILISATION,
    UTILISATION_NOISE,
    profits,
)
from pipelines.scenarios.finance.world import GAPS, KEY, LAYOUT, WORLD
from pipelines.scenarios.layout import LAST_NIGHT, Partition, Rows
from pipelines.scenarios.onestep import OneStep
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, generator
from pipelines.scenarios.values import Draw, encoded, rngs, strings

_DAY = 86_400_000_000  # microseconds


class Situation(NamedTuple):
    """All that is decided about some rows before anything is drawn or recorded."""

    who: Rows
    times: Ints
    """`[n]` microseconds since 1970."""
    hidden: Floats
    """`[n, 5]` latents."""
    shown: Mapping[str, Floats]
    """Modality -> `[n, k]` standardized view."""
    present: Mapping[str, Bools]
    """Modality -> `[n]`."""
    chance: Mapping[str, Floats]
    """`[n]` draws of what happens: uniform `moment`, `default` and `limit`, normal `utilisation` and `profit`."""

    @property
    def allowed(self) -> Bools:
        """`[n, 4]` which decisions may be made."""
        return decisions.allowed_limits(self.shown, self.present)


def rows(seed: int, partition: Partition, numbers: Ints) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The given rows of a partition, undamaged: what the pipeline may read, and what is true of them."""
    now = situation(seed, partition, numbers)
    tail = labels(now) if partition.is_history else {}
    return pa.record_batch({**record(seed, now), **tail}), pa.record_batch({**head(now), **truths(now)})


def begin(seed: int, subjects: Ints) -> OneStep:
    """Decisions about these firms (`[n]`), each in its first quarter."""
    first = np.zeros_like(subjects)
    who = Rows(subjects, first, dict.fromkeys(LAYOUT.changes, first), first, first + 1)
    midnight = int(datetime.combine(LAST_NIGHT, datetime.min.time(), UTC).timestamp())
    now = _situation(seed, who, np.full_like(subjects, midnight * 1_000_000))
    return OneStep(pa.record_batch(record(seed, now)), now.allowed, profits(now.hidden))


def situation(seed: int, partition: Partition, numbers: Ints) -> Situation:
    """Which firms stand in the given rows (`[n]`) of a partition, what they hide, show and leave out."""
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
        chance=dict(zip(("moment", "default", "limit", "utilisation", "profit"), draws, strict=True)),
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
    """The columns of a night: key, time, all five modalities, and what may be decided."""
    who, shown, present = now.who, now.shown, now.present
    tables, series = (rngs(seed, WORLD, name, who.subject, who.occasion) for name in ("accounts", "transactions"))
    return {
        **head(now),
        "document": pa.array(_encoded(seed, now, "document", document.draw), pa.binary()),
        "news": strings(_encoded(seed, now, "news", news.draw)),
        "call": pa.array(_encoded(seed, now, "call", call.draw), pa.binary()),
        **accounts.draw(shown["accounts"], tables, present["accounts"]),
        "transactions": transactions.draw(shown["transactions"], series, present["transactions"], now.times),
        "allowed": names_where(now.allowed, LIMITS),
    }


def _encoded(seed: int, now: Situation, modality: str, draw: Draw) -> list[bytes | None]:
    each = rngs(seed, WORLD, modality, now.who.subject, now.who.since_of(modality))
    return encoded(draw, each, now.shown[modality], now.present[modality])


def labels(now: Situation) -> dict[str, pa.Array]:
    """The history's further columns: labels and the logged decision."""
    made = decide(decisions.chances(now.shown, now.present, now.allowed), now.chance["limit"])
    expected = np.take_along_axis(profits(now.hidden), made.action[:, None], axis=1)[:, 0]
    return {
        "quarter": pa.array(now.who.step, pa.int32()),
        "defaulted": pa.array(now.chance["default"] < sigmoid(DEFAULT_LOGIT(now.hidden))),
        "utilisation": pa.array(np.round(UTILISATION(now.hidden) + UTILISATION_NOISE * now.chance["utilisation"], 1)),
        "limit_action": pa.array(LIMITS).take(pa.array(made.action)),
        "propensity": pa.array(made.propensity),
        "profit": pa.array(np.round(expected + PROFIT_NOISE * now.chance["profit"], 2)),
    }


def truths(now: Situation) -> dict[str, pa.Array]:
    """What no pipeline may read: latents, the chances that follow from them, and what each decision would earn."""
    return {
        **{name: pa.array(column) for name, column in zip(WORLD.names, now.hidden.T, strict=True)},
        "default_probability": pa.array(sigmoid(DEFAULT_LOGIT(now.hidden))),
        "utilisation_expected": pa.array(UTILISATION(now.hidden)),
        **{f"profit_{name}": pa.array(column) for name, column in zip(LIMITS, profits(now.hidden).T, strict=True)},
        **{f"{m}_is_new": pa.array(now.who.since_of(m) == now.who.occasion) for m in LAYOUT.changes},
    }
