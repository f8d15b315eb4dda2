"""The retail scenario: customers of a shop, with photos, reviews, voice notes, profiles and visits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios import decisions, gaps, photo, profile, review, visits, voice
from pipelines.scenarios.damage import KEY, strings
from pipelines.scenarios.latents import LATENTS, VIEWS, latents, standardized, view
from pipelines.scenarios.layout import Partition, Visitors, customer_ids, event_times, visitors
from pipelines.scenarios.outcomes import (
    CHURN_LOGIT,
    OFFERS,
    REVENUE_NOISE,
    SPEND,
    SPEND_NOISE,
    revenues,
    sigmoid,
)
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, generator

_DAY = 86_400_000_000  # microseconds


class Situation(NamedTuple):
    """All that is decided about some rows before anything is drawn or recorded."""

    who: Visitors
    times: Ints
    """`[n]` microseconds since 1970."""
    hidden: Floats
    """`[n, 7]` latents."""
    shown: Mapping[str, Floats]
    """Modality -> `[n, k]` standardized view."""
    present: Mapping[str, Bools]
    """Modality -> `[n]`."""
    chance: Mapping[str, Floats]
    """`[n]` draws of what happens: uniform `churn` and `offer`, normal `spend` and `revenue`."""


def rows(seed: int, partition: Partition, numbers: Ints) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The given rows of a partition, undamaged: what the pipeline may read, and what is true of them."""
    now = situation(seed, partition, numbers)
    head = {KEY: pa.array(customer_ids(now.who.customer)), "event_time": pa.array(now.times).cast(TIMESTAMP)}
    tail = labels(now) if partition.is_history else {}
    return pa.record_batch({**head, **modalities(seed, now), **tail}), pa.record_batch({**head, **truths(now)})


def situation(seed: int, partition: Partition, numbers: Ints) -> Situation:
    """Who stands in the given rows (`[n]`) of a partition, what they hide, show and leave out."""
    who = visitors(seed, partition, numbers)
    keys = zip(who.customer.tolist(), who.occasion.tolist(), strict=True)
    rngs = [generator(seed, Stream.OUTCOMES, *key) for key in keys]
    uniform, normal = np.array([rng.random(3) for rng in rngs]), np.array([rng.standard_normal(2) for rng in rngs])
    hidden = latents(seed, who.customer, who.occasion)
    moments = (uniform[:, 0] * _DAY).astype(np.int64)
    return Situation(
        who=who,
        times=event_times(who, partition, moments),
        hidden=hidden,
        shown={name: standardized(name, _view(seed, who, name, hidden)) for name in VIEWS},
        present=gaps.present(seed, who.customer, who.occasion),
        chance={"churn": uniform[:, 1], "offer": uniform[:, 2], "spend": normal[:, 0], "revenue": normal[:, 1]},
    )


def _view(seed: int, who: Visitors, modality: str, hidden: Floats) -> Floats:
    """What the modality shows of the occasion at which its value was new; `hidden` are the latents of today."""
    since = _since(who, modality)
    if not np.array_equal(since, who.occasion):
        hidden = latents(seed, who.customer, since)
    return view(seed, modality, who.customer, since, hidden)


def _since(who: Visitors, modality: str) -> Ints:
    return {"photo": who.photo_occasion, "review": who.review_occasion}.get(modality, who.occasion)


def modalities(seed: int, now: Situation) -> dict[str, pa.Array]:
    """The columns of all five modalities."""
    photos = _media(seed, now, "photo", Stream.PHOTO, photo.draw)
    reviews = _media(seed, now, "review", Stream.REVIEW, lambda shown, rng: review.draw(shown, rng).encode())
    calls = _media(seed, now, "call", Stream.CALL, voice.draw)
    who, shown, present = now.who, now.shown, now.present
    return {
        "photo": pa.array(photos, pa.binary()),
        "review": strings(reviews),
        "call": pa.array(calls, pa.binary()),
        **profile.draw(seed, who.customer, who.occasion, shown["profile"], present["profile"]),
        "visits": visits.draw(seed, who.customer, who.occasion, shown["visits"], present["visits"], now.times),
    }


def _media(
    seed: int, now: Situation, modality: str, stream: Stream, draw: Callable[[Floats, np.random.Generator], bytes]
) -> list[bytes | None]:
    """One encoded value per row, drawn from the stream of its customer and the occasion at which it was new."""
    keys = zip(now.who.customer.tolist(), _since(now.who, modality).tolist(), strict=True)
    parts = zip(keys, now.shown[modality], now.present[modality].tolist(), strict=True)
    return [draw(shown, generator(seed, stream, *key)) if there else None for key, shown, there in parts]


def labels(now: Situation) -> dict[str, pa.Array]:
    """The history's further columns: labels and the logged decision."""
    seen = np.concatenate([now.shown[m] * now.present[m][:, None] for m in decisions.SEES], axis=1)
    is_starter = profile.is_starter(now.shown["profile"][:, 0]) & now.present["profile"]
    allowed = decisions.allowed_offers(is_starter)
    offer, propensity = decisions.decide(decisions.probabilities(seen, allowed), now.chance["offer"])
    expected = np.take_along_axis(revenues(now.hidden), offer[:, None], axis=1)[:, 0]
    return {
        "step": pa.array(now.who.step, pa.int32()),
        "churned": pa.array(now.chance["churn"] < sigmoid(CHURN_LOGIT(now.hidden))),
        "spend_next_30d": pa.array(np.round(SPEND(now.hidden) + SPEND_NOISE * now.chance["spend"], 2)),
        "offer": pa.array(OFFERS).take(pa.array(offer)),
        "propensity": pa.array(propensity),
        "allowed": _names_where(allowed),
        "revenue": pa.array(np.round(expected + REVENUE_NOISE * now.chance["revenue"], 2)),
        "terminated": pa.array(now.who.last == 1),
    }


def _names_where(allowed: Bools) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(allowed.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(OFFERS).take(pa.array(np.nonzero(allowed)[1])))


def truths(now: Situation) -> dict[str, pa.Array]:
    """What no pipeline may read: latents, the chances that follow from them, and what each offer would bring."""
    return {
        **{name: pa.array(values) for name, values in zip(LATENTS, now.hidden.T, strict=True)},
        "churn_probability": pa.array(sigmoid(CHURN_LOGIT(now.hidden))),
        "spend_expected": pa.array(SPEND(now.hidden)),
        **{f"revenue_{o}": pa.array(v) for o, v in zip(OFFERS, revenues(now.hidden).T, strict=True)},
        "photo_is_new": pa.array(now.who.photo_occasion == now.who.occasion),
        "review_is_new": pa.array(now.who.review_occasion == now.who.occasion),
    }
