"""Small published partitions and manifests for the report's tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from models.schema import FUSED, has_column, published_embedding, score_column, share_column
from transforms.ledger import Ledger, UnitCounts
from transforms.sinks.base import FileRecord, Manifest, RunInfo

RUN = RunInfo("2026-11-23-0123456789ab", "retail", "2026-11-23", "2026-11-23", "2026-11-24", "a" * 64, "b" * 64)
DETAILS: Mapping[str, Any] = {
    "fencing": 3,
    "options": ["--runner=FnApiRunner"],
    "settings": {"job": "retail", "fusion": {"kind": "concat", "dim": 8}},
    "precision": "float32",
    "tolerance": 1e-5,
    "versions": {"amalgam": "0.1.0"},
    "fingerprints": {"statistics": "c" * 64, "heads": {"churn": "d" * 64}},
    "seconds": 80.0,
    "throughput": [[0.0, 0], [40.0, 50], [80.0, 100]],
    "schema": [["customer_id", "string"]],
    "workers": "inline: 2 CPUs",
    "units": {"done": 4, "resumed": 1},
    "heads": {"churn": "classifier"},
    "modalities": {"photo": "image"},
}


def rows(
    n: int,
    *,
    modalities: tuple[str, ...] = ("photo", "review"),
    heads: Mapping[str, int] | None = None,
    fused: npt.NDArray[np.float32] | None = None,
) -> pa.Table:
    """A published table of n rows; `heads` maps a head to its number of scores per row (1: a scalar)."""
    rng = np.random.default_rng(7)
    fused = rng.standard_normal((n, 8)).astype(np.float32) if fused is None else fused
    names = ["customer_id"]
    arrays = [pa.array([f"C{i}" for i in range(n)], pa.string())]
    for name in modalities:
        names += [has_column(name), share_column(name)]
        arrays += [pa.array(np.ones(n, np.bool_)), pa.array(np.full(n, 1 / len(modalities), np.float32))]
    fields = [pa.field(name, array.type) for name, array in zip(names, arrays, strict=True)]
    for head, width in ({"churn": 1} if heads is None else heads).items():
        scores = rng.random((n, width)).astype(np.float32)
        fields.append(_score_field(head, width))
        arrays.append(pa.array(scores[:, 0]) if width == 1 else lists(scores, fields[-1].type))
    fields.append(published_embedding(FUSED, fused.shape[1]))
    arrays.append(lists(fused, fields[-1].type))
    return pa.table(arrays, schema=pa.schema(fields))


def lists(matrix: npt.NDArray[np.float32], kind: pa.DataType) -> pa.Array:
    """`[n, d]` as a list array."""
    offsets = np.arange(0, matrix.size + 1, matrix.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(matrix.reshape(-1)), type=kind)


def _score_field(head: str, width: int) -> pa.Field:
    name = score_column(head)
    return pa.field(name, pa.float32()) if width == 1 else published_embedding(name, width)


def write(table: pa.Table, folder: Path, *, parts: int = 2, row_group: int = 100) -> Path:
    """The table as evenly cut part files."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        start, stop = part * len(table) // parts, (part + 1) * len(table) // parts
        file = folder / f"part-{part:03d}.parquet"
        pq.write_table(table.slice(start, stop - start), file, row_group_size=row_group, write_page_checksum=True)
    return folder


def counts(
    read: int, *, quarantined: Mapping[str, int] | None = None, issues: Mapping[str, int] | None = None
) -> UnitCounts:
    """Balanced counts of a run with the modalities photo and review."""
    lost = Counter(quarantined or {})
    published = read - sum(lost.values())
    return UnitCounts(
        rows_read=read,
        rows_published=published,
        quarantined=lost,
        issues=Counter(issues or {}),
        examples={code: f"key of {code}" for code in (*lost, *(issues or {}))},
        present=Counter({"photo": published - published // 4, "review": published}),
        absent=Counter({"photo": published // 4}),
        bytes_read=3_400_000,
        seconds={"clean": 2.5},
    )


def manifest(total: UnitCounts, details: Mapping[str, Any] = DETAILS) -> Manifest:
    """The record of a run of one unit."""
    file = FileRecord("part-000.parquet", total.rows_published, 1000, "e" * 64)
    return Manifest(RUN, (file,), (), Ledger({"unit": total}), details)
