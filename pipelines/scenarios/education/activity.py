"""A pupil's practice sessions: their rhythm shows diligence, what has to be repeated shows forgetting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.streams import Bools, Floats, Ints

SESSION = pa.struct(
    [
        ("time", TIMESTAMP),
        ("duration", pa.float64()),
        ("items", pa.int32()),
        ("correct", pa.float64()),
        ("repeated", pa.float64()),
    ]
)
"""Duration in seconds; shares of the items that were answered correctly, and that had been practised before."""

_DAYS = 60  # how far back the series reaches
_MICROSECONDS = 86_400_000_000
_MOST = 100
_UNSORTED = 0.05  # share of series that are not in order of time
_RECORD = np.dtype([("time", "i8"), ("duration", "f8"), ("items", "i4"), ("correct", "f8"), ("repeated", "f8")])


def draw(each: Sequence[np.random.Generator], shown: Floats, present: Bools, event_time: Ints) -> pa.ListArray:
    """list<SESSION> of standardized views `[n, 2]` (diligence, forgetting); all lie before `event_time` (µs)."""
    rows = zip(each, shown.tolist(), present.tolist(), event_time.tolist(), strict=True)
    parts = [_one(rng, view, time) if there else _NONE for rng, view, there, time in rows]
    flat = np.concatenate([_NONE, *parts])
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int32)
    values = [pa.array(flat[field.name]).cast(field.type) for field in SESSION]
    structs = pa.StructArray.from_arrays(values, fields=list(SESSION))
    return pa.ListArray.from_arrays(pa.array(offsets), structs, mask=pa.array(~present))


_NONE = np.empty(0, dtype=_RECORD)


def _one(rng: np.random.Generator, shown: list[float], event_time: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    diligence, forgetting = (min(max(value, -2.6), 2.6) for value in shown)
    gap_days = 3.0 * np.exp(-0.42 * diligence)  # mean time between sessions
    gaps = gap_days * (0.5 + 0.5 * rng.standard_exponential(_MOST))  # steadier than a Poisson process
    before = np.cumsum(gaps)
    count = max(4, int(np.searchsorted(before, _DAYS)))
    lost = 1 - np.exp(-gaps[:count] / (12 * np.exp(-0.5 * forgetting)))  # share forgotten since the last session
    sessions = np.empty(count, dtype=_RECORD)
    sessions["time"] = event_time - (before[:count] * _MICROSECONDS).astype(np.int64)
    sessions["duration"] = np.round(np.exp(6.6 + 0.3 * diligence + rng.normal(0, 0.3, count)), 1)
    sessions["items"] = 2 + rng.poisson(np.exp(2.3 + 0.25 * diligence), count)
    sessions["correct"] = np.round(np.clip(0.95 - 0.6 * lost + rng.normal(0, 0.05, count), 0, 1), 3)
    repeated = 1 / (1 + np.exp(0.6 - 0.9 * forgetting + rng.normal(0, 0.35, count)))
    sessions["repeated"] = np.round(repeated, 3)
    newest_last = sessions[::-1]
    return rng.permutation(newest_last) if rng.random() < _UNSORTED else newest_last
