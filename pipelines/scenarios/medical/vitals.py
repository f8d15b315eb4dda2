"""Vital signs of the last day or two: how fast a patient breathes shows strain, the temperature fever."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.streams import Bools, Floats, Ints

VITAL = pa.struct(
    [
        ("time", TIMESTAMP),
        ("heart_rate", pa.float64()),
        ("breaths", pa.float64()),
        ("oxygen", pa.float64()),
        ("temperature", pa.float64()),
    ]
)
"""Beats and breaths per minute, per cent, degrees Celsius."""

_RECORD = np.dtype([("time", "i8"), ("heart_rate", "f8"), ("breaths", "f8"), ("oxygen", "f8"), ("temperature", "f8")])
_MOST = 40
_MINUTE = 60_000_000  # microseconds
_UNSORTED = 0.05  # share of series that are not in order of time


def draw(rngs: Sequence[np.random.Generator], shown: Floats, present: Bools, times: Ints) -> pa.ListArray:
    """list<VITAL> of standardized views `[n, 2]` (strain, fever); all lie before `times` (µs, `[n]`)."""
    parts = [_one(*row) for row in zip(rngs, shown, times.tolist(), strict=True)]
    parts = [part if there else part[:0] for part, there in zip(parts, present.tolist(), strict=True)]
    flat = np.concatenate(parts) if parts else np.empty(0, dtype=_RECORD)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int32)
    structs = pa.StructArray.from_arrays([pa.array(flat[f.name]).cast(f.type) for f in VITAL], fields=list(VITAL))
    return pa.ListArray.from_arrays(pa.array(offsets), structs, mask=pa.array(~present))


def _one(rng: np.random.Generator, shown: Floats, event_time: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    strain, fever = np.clip(shown, -2.6, 2.6).tolist()
    count = int(rng.integers(10, _MOST, endpoint=True))
    before = np.cumsum(rng.uniform(20, 120, count))  # minutes
    normal = rng.standard_normal((4, count))
    vitals = np.empty(count, dtype=_RECORD)
    vitals["time"] = event_time - (before * _MINUTE).astype(np.int64)
    vitals["heart_rate"] = np.round(84 + 7 * strain + 4 * fever + 6 * normal[0])
    vitals["breaths"] = np.round(np.exp(2.95 + 0.17 * strain + 0.08 * normal[1]), 1)
    vitals["oxygen"] = np.clip(np.round(95.0 - 1.2 * strain + 0.8 * normal[2], 1), 70, 100)
    vitals["temperature"] = np.round(37.4 + 0.55 * fever + 0.12 * np.sin(before / 229 + normal[3][0]), 1)
    newest_last = vitals[::-1]
    return rng.permutation(newest_last) if rng.random() < _UNSORTED else newest_last
