"""Three months on the current account: its balance shows pressure, how late bills are paid shows character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.streams import Bools, Floats, Ints

TRANSACTION = pa.struct(
    [("time", TIMESTAMP), ("amount", pa.float64()), ("balance", pa.float64()), ("days_late", pa.int32())]
)
"""Amount (incoming above 0) and balance after it in euros; days after the due date, 0 for what came in."""

Records: TypeAlias = np.ndarray[tuple[int], np.dtype[np.void]]

_DAYS = 90  # how far back the series reaches
_MICROSECONDS = 86_400_000_000
_MOST = 120
_UNSORTED = 0.05  # share of series that are not in order of time
_RECORD = np.dtype([("time", "i8"), ("amount", "f8"), ("balance", "f8"), ("days_late", "i4")])


def draw(shown: Floats, rngs: Sequence[np.random.Generator], present: Bools, event_time: Ints) -> pa.ListArray:
    """list<TRANSACTION> of standardized views `[n, 2]` (pressure, character); all lie before `event_time` (µs)."""
    parts = [_one(*row) for row in zip(rngs, shown, event_time.tolist(), strict=True)]
    parts = [part if there else part[:0] for part, there in zip(parts, present.tolist(), strict=True)]
    flat = np.concatenate(parts) if parts else np.empty(0, dtype=_RECORD)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int32)
    values = [pa.array(flat[field.name]).cast(field.type) for field in TRANSACTION]
    structs = pa.StructArray.from_arrays(values, fields=list(TRANSACTION))
    return pa.ListArray.from_arrays(pa.array(offsets), structs, mask=pa.array(~present))


def _one(rng: np.random.Generator, shown: Floats, event_time: int) -> Records:
    pressure, character = np.clip(shown, -2.6, 2.6).tolist()
    gap_days = 1.9 * np.exp(0.25 * rng.standard_normal())  # mean time between two transactions: says nothing
    before = np.cumsum(gap_days * (0.4 + 0.6 * rng.standard_exponential(_MOST)))[::-1]  # days ago, oldest first
    before = before[before < _DAYS]
    balance = _balances(pressure, before, rng)  # [n + 1]
    records = np.empty(len(before), dtype=_RECORD)
    records["time"] = event_time - (before * _MICROSECONDS).astype(np.int64)
    records["balance"] = balance[1:]
    records["amount"] = np.round(np.diff(balance), 2)
    late = rng.poisson(np.exp(1.5 - 0.6 * character), len(before))
    records["days_late"] = np.where(records["amount"] > 0, 0, late)
    return rng.permutation(records) if rng.random() < _UNSORTED else records


def _balances(pressure: float, before: Floats, rng: np.random.Generator) -> Floats:
    """`[n + 1]` euros, first the balance from before the series: a level, and what comes and goes every month."""
    month = 1 - ((before + rng.uniform(0, 30)) % 30) / 30  # 0 after pay-day, 1 before the next one
    ebb = np.concatenate([[0.0], 0.5 - month])
    path = 4_000 - 2_600 * pressure + 1_500 * ebb + 900 * rng.standard_normal(len(ebb))
    return np.asarray(np.round(path, 2), dtype=np.float64)
