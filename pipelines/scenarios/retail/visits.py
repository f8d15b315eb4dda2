"""A customer's visits: their rhythm shows loyalty, what is looked at and bought shows intent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.streams import Bools, Floats, Ints

VISIT = pa.struct([("time", TIMESTAMP), ("duration", pa.float64()), ("pages", pa.int32()), ("amount", pa.float64())])
"""Duration in seconds, amount in euros."""

_DAYS = 60  # how far back the series reaches
_MICROSECONDS = 86_400_000_000
_MOST = 120
_UNSORTED = 0.05  # share of series that are not in order of time


def draw(rngs: Sequence[np.random.Generator], shown: Floats, present: Bools, event_time: Ints) -> pa.ListArray:
    """list<VISIT> of standardized views `[n, 2]` (loyalty, intent); all visits lie before `event_time` (µs)."""
    parts = [_one(*row) for row in zip(rngs, shown, event_time, strict=True)]
    parts = [part if there else part[:0] for part, there in zip(parts, present.tolist(), strict=True)]
    flat = np.concatenate(parts) if parts else np.empty(0, dtype=_RECORD)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int32)
    values = [pa.array(flat[field.name]).cast(field.type) for field in VISIT]
    structs = pa.StructArray.from_arrays(values, fields=list(VISIT))
    return pa.ListArray.from_arrays(pa.array(offsets), structs, mask=pa.array(~present))


_RECORD = np.dtype([("time", "i8"), ("duration", "f8"), ("pages", "i4"), ("amount", "f8")])


def _one(rng: np.random.Generator, shown: Floats, event_time: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    loyalty, intent = np.clip(shown, -2.6, 2.6).tolist()
    gap_days = 3.2 * np.exp(-0.45 * loyalty)  # mean time between visits
    gaps = gap_days * (0.4 + 0.6 * rng.standard_exponential(_MOST))  # steadier than a Poisson process
    before = np.cumsum(gaps)
    count = max(2, int(np.searchsorted(before, _DAYS)))
    recent = np.exp(-before[:count] / 20)  # interest grows towards now
    scale = intent + 0.5 * intent * recent
    visits = np.empty(count, dtype=_RECORD)
    visits["time"] = event_time - (before[:count] * _MICROSECONDS).astype(np.int64)
    visits["duration"] = np.round(np.exp(5.0 + 0.25 * scale + rng.normal(0, 0.5, count)), 1)
    visits["pages"] = 1 + rng.poisson(np.exp(1.5 + 0.35 * scale))
    visits["amount"] = np.round(np.exp(3.0 + 0.4 * scale + rng.normal(0, 0.5, count)), 2)
    newest_last = visits[::-1]
    return rng.permutation(newest_last) if rng.random() < _UNSORTED else newest_last
