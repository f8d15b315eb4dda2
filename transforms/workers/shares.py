"""How a batch is shared among replicas: values of similar length together, and as much work for each of them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.arrow import Int64

LEAST_ROWS: Final = 32
"""Of a share: sending one takes some 2 ms, encoding so many texts with a small language model some 500 ms."""

_OF_BYTES: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def shares(batch: pa.RecordBatch, most: int) -> list[Int64]:
    """Row numbers of at most so many shares, together every row once; one share for a batch of few rows.

    Where values differ in length, rows are sorted by it, longest first, and cut into shares of equal bytes: an encoder
    pads what it runs at once to its longest value, and a replica that got the long ones would be waited for. Of values
    of one length, shares are stretches of the batch.

    Args:
        batch: the columns that travel.
        most: shares, at most.
    """
    count = max(1, min(most, batch.num_rows // LEAST_ROWS))
    rows = np.arange(batch.num_rows, dtype=np.int64)
    if count == 1:
        return [rows]
    costs = value_bytes(batch)
    if costs.min() != costs.max():
        rows = np.argsort(-costs, kind="stable")
    done = np.cumsum(costs[rows], dtype=np.float64)
    cuts = np.searchsorted(done, done[-1] * np.arange(1, count) / count, side="left") + 1
    return [share for share in np.split(rows, np.minimum(cuts, len(rows))) if len(share)]


def value_bytes(batch: pa.RecordBatch) -> Int64:
    """`[n]` what each row's values of varying length hold, in bytes and list items, and one for the row itself."""
    total = np.ones(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        if (lengths := _lengths(column)) is not None:
            total += lengths.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return total


def part(batch: pa.RecordBatch, rows: Int64) -> pa.RecordBatch:
    """These rows of the batch; a stretch of it without copying."""
    first, last = int(rows[0]), int(rows[-1])
    if last - first == len(rows) - 1 and (np.diff(rows) == 1).all():
        return batch.slice(first, len(rows))
    return batch.take(pa.array(rows))


def _lengths(column: pa.Array) -> pa.Array | None:
    """The lengths of a column's values; None for a type of one length."""
    kind = column.type
    if any(varies(kind) for varies in _OF_BYTES):
        return pc.binary_length(column)
    return pc.list_value_length(column) if pa.types.is_list(kind) or pa.types.is_large_list(kind) else None
