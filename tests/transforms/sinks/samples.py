"""Small published rows, quarantined records and runs for the tests of sinks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP, emb_column, has_column, published_embedding, share_column
from transforms.ledger import Ledger, UnitCounts
from transforms.sinks.base import Manifest, Part, RunInfo, Sink

DATE = "2026-11-23"
DIM = 4
RECORD = pa.struct([("customer_id", pa.string()), ("photo", pa.binary())])
SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("event_timestamp", TIMESTAMP, nullable=False),
        pa.field(has_column("photo"), pa.bool_(), nullable=False),
        published_embedding(emb_column("photo"), DIM),
        pa.field(share_column("photo"), pa.float32(), nullable=False),
        pa.field(share_column("review"), pa.float32(), nullable=False),
        pa.field("issues", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
        pa.field("segment", pa.string()),
        pa.field("fingerprint", pa.string(), nullable=False),
    ]
)
QUARANTINE = pa.schema(
    [
        ("key", pa.string()),
        ("reason", pa.string()),
        ("stage", pa.string()),
        ("unit", pa.string()),
        ("row", pa.int64()),
        ("record", RECORD),
    ]
)


def run_info(tag: str = "aaaaaaaaaaaa", date: str = DATE, job: str = "retail") -> RunInfo:
    """A run; another tag is another input or other models."""
    return RunInfo(
        f"{date}-{tag}", job, date, f"{date}T00:00:00Z", f"{date}T24:00:00Z", f"input {tag}", f"models {tag}"
    )


def rows(n: int, first: int = 0, value: float = 1.0) -> pa.RecordBatch:
    """`n` published rows with keys from `first` on; every third has no photo. `value` tells versions apart."""
    numbers = np.arange(first, first + n)
    has = numbers % 3 != 0
    embedding = np.where(has[:, None], np.float32(value) * np.ones((n, DIM), np.float32), np.float32(0))
    offsets = pa.array(np.arange(0, n * DIM + 1, DIM, dtype=np.int32))
    share = np.where(has, 0.25, 0.0).astype(np.float32)
    columns = [
        pa.array([f"c{i:06d}" for i in numbers]),
        pa.array(np.full(n, 1_795_000_000_000_000), pa.int64()).cast(TIMESTAMP),
        pa.array(has),
        pa.ListArray.from_arrays(offsets, pa.array(embedding.reshape(-1)), type=SCHEMA.field(emb_column("photo")).type),
        pa.array(share),
        pa.array(np.float32(1) - share),
        pa.array([[] if h else ["photo.decode_failed"] for h in has], SCHEMA.field("issues").type),
        pa.array([None if i % 2 else "gold" for i in numbers], pa.string()),
        pa.array([f"models {value}"] * n, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def quarantined(n: int, unit: str) -> pa.RecordBatch:
    """`n` quarantined records."""
    records = pa.array([{"customer_id": None, "photo": b"\xff\xd8" * 10}] * n, RECORD)
    columns = [
        pa.nulls(n, pa.string()),
        pa.array(["key.missing"] * n, pa.string()),
        pa.array(["clean"] * n, pa.string()),
        pa.array([unit] * n, pa.string()),
        pa.array(range(n), pa.int64()),
        records,
    ]
    return pa.RecordBatch.from_arrays(columns, schema=QUARANTINE)


def counts(published: int, removed: int = 0) -> UnitCounts:
    """Counts that balance."""
    counted = UnitCounts(rows_read=published + removed, rows_published=published)
    if removed:
        counted.quarantined["key.missing"] = removed
    return counted


def write_unit(sink: Sink, unit: str, batch: pa.RecordBatch, removed: int = 0) -> Part:
    """Write one unit of one batch and close it."""
    writer = sink.open(unit, batch.schema, RECORD)
    writer.write(batch)
    if removed:
        writer.quarantine(quarantined(removed, unit))
    return writer.close(counts(batch.num_rows, removed))


def write_units(sink: Sink, units: int = 3, n: int = 10, value: float = 1.0, removed: int = 2) -> list[Part]:
    """Write several units with distinct keys; the first of them with quarantined records."""
    return [
        write_unit(sink, f"{i:05d}-u", rows(n, first=i * n, value=value), removed if i == 0 else 0)
        for i in range(units)
    ]


def publish(sink: Sink, parts: list[Part]) -> Manifest:
    """Publish with the ledger that belongs to the parts."""
    details = {"key": "customer_id", "keep": ["segment"]}
    return sink.publish(parts, ledger_of(parts), details)


def ledger_of(parts: list[Part]) -> Ledger:
    """The parts' own counts."""
    return Ledger.of((part.unit, part.counts) for part in parts)
