"""Rows of the retail scenario: customers of a shop, with photos, reviews, voice notes, profiles and visits."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.scenarios.decisions import decide, names_where
from pipelines.scenarios.layout import Partition
from pipelines.scenarios.onestep import OneStep
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.retail import offers, photo, profile, review, visits, voice
from pipelines.scenarios.retail.outcomes import CHURN_LOGIT, OFFERS, REVENUE_NOISE, SPEND, SPEND_NOISE, revenues
from pipelines.scenarios.retail.world import GAPS, KEY, LAYOUT, WORLD
from pipelines.scenarios.stage import Situation, Stage
from pipelines.scenarios.streams import Ints
from pipelines.scenarios.values import strings

STAGE = Stage(KEY, WORLD, GAPS, LAYOUT, offers.allowed_offers, chances=("moment", "churn", "offer", "spend", "revenue"))


def rows(seed: int, partition: Partition, numbers: Ints) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The given rows of a partition, undamaged: what the pipeline may read, and what is true of them."""
    now = STAGE.situation(seed, partition, numbers)
    tail = labels(now) if partition.is_history else {}
    return pa.record_batch({**record(now), **tail}), pa.record_batch({**now.head(), **truths(now)})


def begin(seed: int, subjects: Ints) -> OneStep:
    """Decisions about these customers (`[n]`), each at its first visit."""
    now = STAGE.first(seed, subjects)
    return OneStep(pa.record_batch(record(now)), now.allowed, revenues(now.hidden))


def record(now: Situation) -> dict[str, pa.Array]:
    """The columns of a night: key, time, all five modalities, and which offers may be made."""
    shown, present = now.shown, now.present
    return {
        **now.head(),
        "photo": pa.array(now.drawn("photo", photo.draw), pa.binary()),
        "review": strings(now.drawn("review", review.draw)),
        "call": pa.array(now.drawn("call", voice.draw), pa.binary()),
        **profile.draw(now.rngs("profile"), shown["profile"], present["profile"]),
        "visits": visits.draw(now.rngs("visits"), shown["visits"], present["visits"], now.times),
        "allowed": names_where(now.allowed, OFFERS),
    }


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
        **now.latents(),
        "churn_probability": pa.array(sigmoid(CHURN_LOGIT(now.hidden))),
        "spend_expected": pa.array(SPEND(now.hidden)),
        **{f"revenue_{o}": pa.array(v) for o, v in zip(OFFERS, revenues(now.hidden).T, strict=True)},
        **now.is_new(),
    }
