"""Which modalities are absent: each at its own rate, never all of one row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, uniforms

ABSENT: Mapping[str, float] = {"photo": 0.08, "review": 0.06, "call": 0.10, "profile": 0.03, "visits": 0.05}
"""Modality -> share of rows without it."""


def present_where(draws: Floats) -> dict[str, Bools]:
    """Modality -> mask `[n]`, from uniform numbers `[n, 5]`; a row without any keeps its profile."""
    masks = dict(zip(ABSENT, (draws >= list(ABSENT.values())).T, strict=True))
    masks["profile"] = masks["profile"] | ~np.any(list(masks.values()), axis=0)
    return masks


def present(seed: int, customer: Ints, occasion: Ints) -> dict[str, Bools]:
    """Modality -> mask `[n]` of customers (`[n]`) at occasions (`[n]`)."""
    return present_where(uniforms(seed, Stream.GAPS, np.stack([customer, occasion], axis=1), len(ABSENT)))
