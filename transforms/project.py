"""Project: from the columns inside a run to the columns that are published."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.arrow import Float32, to_numpy, valid_mask
from models.schema import (
    CREATED_TIMESTAMP,
    EVENT_TIMESTAMP,
    FINGERPRINT,
    FUSED,
    ISSUES,
    TIMESTAMP,
    emb_column,
    has_column,
    published_embedding,
    share_column,
)
from transforms.recipe import Recipe

_LARGEST = 2**63 - 1  # of int64, which holds a timestamp's ticks
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000}  # in one tick


class Project:
    """BatchOp: exactly the published columns, in the order and types of CONTRACT.md's output table."""

    def __init__(self, recipe: Recipe) -> None:
        self._key = recipe.key
        self._event_timestamp = recipe.event_timestamp
        self._dims = {modality: encoder.output_dim for modality, encoder in recipe.encoders.items()}
        self._fused = recipe.fused_dim
        self._scores = list(recipe.score_fields)
        self._keep = recipe.keep
        self._start, self._end = (pa.scalar(t, TIMESTAMP) for t in recipe.interval)
        self._fingerprint = pa.scalar(recipe.fingerprint, pa.string())

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The published schema."""
        modalities = self._dims
        shares = [pa.field(share_column(m), pa.float32(), False) for m in modalities] if self._fused else []
        fused = [published_embedding(FUSED, self._fused)] if self._fused else []
        return pa.schema(
            [
                pa.field(self._key, self._key_type(schema), False),
                pa.field(EVENT_TIMESTAMP, TIMESTAMP, False),
                pa.field(CREATED_TIMESTAMP, TIMESTAMP, False),
                *(pa.field(has_column(m), pa.bool_(), False) for m in modalities),
                *(published_embedding(emb_column(m), dim) for m, dim in modalities.items()),
                *shares,
                *fused,
                *self._scores,
                pa.field(ISSUES, pa.list_(pa.field("element", pa.string(), False)), False),
                *(schema.field(name) for name in self._keep),
                pa.field(FINGERPRINT, pa.string(), False),
            ]
        )

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The published columns of a scored batch."""
        target = self.output_schema(batch.schema)
        columns = {name: batch.column(i) for i, name in enumerate(batch.schema.names)}
        columns[EVENT_TIMESTAMP] = self._event_times(columns, batch.num_rows)
        columns[CREATED_TIMESTAMP] = pa.repeat(self._end, batch.num_rows)
        columns[FINGERPRINT] = pa.repeat(self._fingerprint, batch.num_rows)
        for modality in self._dims:
            embedding = columns[emb_column(modality)]
            columns[has_column(modality)] = embedding.is_valid()
            columns[emb_column(modality)] = published_list(_zero_filled(embedding))
        if self._fused:
            columns[FUSED] = published_list(np.asarray(to_numpy(columns[FUSED]), np.float32))
        return pa.RecordBatch.from_arrays([columns[f.name].cast(f.type) for f in target], schema=target)

    def _key_type(self, schema: pa.Schema) -> pa.DataType:
        """The key's own; a column of nothing but nulls, of which no row is published, counts as one of strings."""
        found = schema.field(self._key).type
        return pa.string() if pa.types.is_null(found) else found

    def _event_times(self, columns: Mapping[str, pa.Array], rows: int) -> pa.Array:
        if self._event_timestamp is None:
            return pa.repeat(self._start, rows)
        return pc.fill_null(utc_microseconds(columns[self._event_timestamp]), self._start)


def utc_microseconds(times: pa.Array) -> pa.Array:
    """Timestamps of any unit, zone or none (taken as UTC), and dates, as timestamp[us, UTC]; null beyond its range."""
    if pa.types.is_date(times.type):
        times = times.cast(pa.timestamp("s" if pa.types.is_date32(times.type) else "ms"))
    ticks = times.cast(pa.int64())
    largest = _LARGEST // _MICROSECONDS.get(times.type.unit, 1)
    fits = pc.and_(pc.less_equal(ticks, largest), pc.greater_equal(ticks, -largest))
    times = pc.if_else(fits, times, pa.scalar(None, times.type))
    if times.type.tz is None:
        return pc.assume_timezone(times.cast(pa.timestamp("us"), safe=False), "UTC")
    return times.cast(TIMESTAMP, safe=False)


def published_list(matrix: Float32) -> pa.Array:
    """`[n, d]` float32 as list<float32> without nulls, as feature stores and query engines read it."""
    offsets = np.arange(len(matrix) + 1, dtype=np.int32) * matrix.shape[1]
    values = pa.array(np.ascontiguousarray(matrix, dtype=np.float32).reshape(-1))
    inner = pa.list_(pa.field("element", pa.float32(), nullable=False))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, type=inner)


def _zero_filled(embedding: pa.Array) -> Float32:
    valid = valid_mask(embedding)
    return np.where(valid[:, None], np.asarray(to_numpy(embedding), np.float32), np.float32(0))
