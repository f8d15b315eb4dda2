"""The customer's profile: numbers and categories that show wealth and loyalty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.scenarios.streams import Bools, Floats

NUMERIC = ("age", "income", "spend_30d", "tenure_days", "orders_90d", "tickets_90d", "discount_share")
CATEGORICAL = ("segment", "region", "device")

SEGMENTS = ("starter", "regular", "plus", "premium")
_SEGMENT_BOUNDS = (-0.8, 0.3, 1.2)  # of the wealth shown: 21 %, 41 %, 27 % and 12 % of the customers
REGIONS = ("north", "south", "east", "west", "islands", "abroad")
_REGION_SHARES = (0.28, 0.24, 0.2, 0.18, 0.06, 0.04)
DEVICES = ("android", "ios", "desktop", "tablet", "in_store")
_DEVICE_SHARES = (0.42, 0.27, 0.21, 0.06, 0.04)
_GAP = 0.04  # share of single values that are null in a profile that is there
_DRAWS = 32  # uniform numbers per row, more than are used, so that a new column need not shift the others


def is_starter(wealth: Floats) -> Bools:
    """Whether a profile that shows this wealth (standardized, `[n]`) is in the segment `starter`."""
    return wealth < _SEGMENT_BOUNDS[0]


def draw(rngs: Sequence[np.random.Generator], shown: Floats, present: Bools) -> dict[str, pa.Array]:
    """Columns of the profile; null where it is absent, and here and there where it is present.

    Args:
        rngs: one per row.
        shown: `[n, 2]` standardized view: wealth, loyalty.
        present: `[n]`.
    """
    normal = np.array([rng.standard_normal(len(NUMERIC)) for rng in rngs])
    uniform = np.array([rng.random(_DRAWS) for rng in rngs])
    numbers = _numbers(shown, normal)
    categories = _categories(shown[:, 0], uniform)
    gaps = uniform[:, : len(NUMERIC) + len(CATEGORICAL)] < _GAP
    gaps[:, len(NUMERIC)] = False  # the segment is never missing: the logging policy's rule depends on it
    columns: dict[str, pa.Array] = {}
    for index, name in enumerate((*NUMERIC, *CATEGORICAL)):
        values = numbers[name] if name in numbers else categories[name]
        columns[name] = pa.array(values, mask=gaps[:, index] | ~present)
    return columns


def _numbers(shown: Floats, normal: Floats) -> dict[str, Floats]:
    wealth, loyalty = shown.T
    age, income, spend, tenure, orders, tickets, discount = normal.T
    return {
        "age": np.clip(np.round(44 + 15 * age), 18, 95),
        "income": np.round(np.exp(10.4 + 0.4 * (wealth + 0.2 * income)), -2),  # median 33,000
        "spend_30d": np.round(np.exp(4.4 + 0.5 * (wealth + 0.35 * spend)), 2),  # median 81
        "tenure_days": np.clip(np.round(900 + 330 * (loyalty + 0.2 * tenure)), 0, None),
        "orders_90d": np.clip(np.round(8 + 3 * (loyalty + 0.35 * orders)), 0, None),
        "tickets_90d": np.clip(np.round(1 + 1.4 * tickets), 0, None),
        "discount_share": np.round(1 / (1 + np.exp(1 + 0.6 * wealth + 0.6 * discount)), 3),
    }


def _categories(wealth: Floats, uniform: Floats) -> dict[str, list[str]]:
    region, device = uniform[:, -1], uniform[:, -2]
    return {
        "segment": [SEGMENTS[i] for i in np.searchsorted(_SEGMENT_BOUNDS, wealth, side="right")],
        "region": [REGIONS[i] for i in np.searchsorted(np.cumsum(_REGION_SHARES[:-1]), region, side="right")],
        "device": [DEVICES[i] for i in np.searchsorted(np.cumsum(_DEVICE_SHARES[:-1]), device, side="right")],
    }
