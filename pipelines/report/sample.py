"""A bounded, repeatable sample of a published partition: what the report's distributions are drawn from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from models.arrow import Bool, Float32
from models.heads.classifier import CLASSES_METADATA
from models.schema import DIM_METADATA, FUSED, has_column, score_column, share_column

RUNS = 64  # evenly spaced runs of neighbouring rows: few enough to open few row groups, many enough to be fair
BATCH_ROWS = 1024  # rows decoded at a time: 8 MB of a 2,048 wide `fused`


@dataclass(frozen=True)
class Sample:
    """Columns of n sampled rows, as arrays."""

    total_rows: int
    """Rows of the partition."""
    has: dict[str, Bool]
    """Modality -> `[n]` mask."""
    shares: dict[str, Float32]
    """Modality -> `[n]` share in `fused`."""
    scores: dict[str, Float32]
    """Head -> `[n, K]`; K is 1 for a scalar score."""
    classes: dict[str, list[str]]
    """Head -> its classes, where its column names them."""
    fused: Float32
    """`[n, F]`; F is 0 when the partition has no `fused`."""

    @property
    def rows(self) -> int:
        """Sampled rows n."""
        return len(self.fused)

    def class_name(self, head: str, index: int) -> str:
        """A class of a head with one score per class."""
        names = self.classes.get(head, [])
        return names[index] if index < len(names) else f"class {index}"


class RowGroup(NamedTuple):
    """A row group of the partition and the number of its first row, counted over all files in order."""

    file: Path
    number: int
    start: int
    rows: int


def read_sample(folder: Path, rows: int) -> Sample:
    """Up to `rows` rows of the Parquet files in a folder; the same rows each time.

    A partition of no more than `rows` rows is taken whole; of a larger one, RUNS evenly spaced runs of
    neighbouring rows. Only the columns that the report draws are read, in batches, with checksums verified.
    """
    files = sorted(folder.glob("*.parquet"))
    groups = list(_row_groups(files))
    total = sum(group.rows for group in groups)
    schema = pq.read_schema(files[0]) if files else pa.schema([])
    columns = [name for name in schema.names if _is_drawn(schema.field(name))]
    batches = [batch for group in groups for batch in _read(group, spans(total, rows), columns)]
    drawn = pa.schema([schema.field(name) for name in columns])
    return _arrays(pa.Table.from_batches(batches, drawn).combine_chunks(), total)


def spans(total: int, rows: int) -> list[tuple[int, int]]:
    """Half-open runs of row numbers, at most `rows` in all, evenly spaced over `total`."""
    if total <= rows:
        return [(0, total)] if total else []
    runs = min(RUNS, rows)
    starts = [run * total // runs for run in range(runs)]
    return [(start, start + rows // runs) for start in starts]


def _row_groups(files: Sequence[Path]) -> Iterator[RowGroup]:
    start = 0
    for file in files:
        metadata = pq.read_metadata(file)
        for index in range(metadata.num_row_groups):
            rows = metadata.row_group(index).num_rows
            yield RowGroup(file, index, start, rows)
            start += rows


def _is_drawn(field: pa.Field) -> bool:
    """Whether the report draws a column, by name and by type: users may keep columns of their own."""
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    prefix = field.name.partition("_")[0] + "_"
    if prefix == has_column(""):
        return bool(pa.types.is_boolean(field.type))
    if prefix in (share_column(""), score_column("")) or field.name == FUSED:
        return bool(pa.types.is_float32(kind))
    return False


def _read(group: RowGroup, wanted: list[tuple[int, int]], columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The wanted rows of one row group; reading stops after the last of them."""
    local = [(max(a - group.start, 0), min(b - group.start, group.rows)) for a, b in wanted]
    local = [(a, b) for a, b in local if a < b]
    if not local:
        return
    position = 0
    with pq.ParquetFile(group.file, page_checksum_verification=True) as parquet:
        for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group.number], columns=columns):
            for a, b in local:
                first, last = max(a - position, 0), min(b - position, batch.num_rows)
                if first < last:
                    # A copy of the slice alone: the rest of the batch must not stay in memory.
                    yield batch.take(pa.array(np.arange(first, last)))
            position += batch.num_rows
            if position >= local[-1][1]:
                return


def _arrays(table: pa.Table, total: int) -> Sample:
    def named(prefix: str) -> dict[str, npt.NDArray[np.generic]]:
        names = [name for name in table.column_names if name.startswith(prefix)]
        return {name.removeprefix(prefix): _matrix(table.column(name), table.field(name)) for name in names}

    fused = _matrix(table[FUSED], table.field(FUSED)) if FUSED in table.column_names else np.zeros((table.num_rows, 0))
    return Sample(
        total_rows=total,
        has={name: values[:, 0].astype(np.bool_) for name, values in named(has_column("")).items()},
        shares={name: values[:, 0].astype(np.float32) for name, values in named(share_column("")).items()},
        scores={name: values.astype(np.float32) for name, values in named(score_column("")).items()},
        classes=dict(_classes(table.schema)),
        fused=fused.astype(np.float32, copy=False),
    )


def _classes(schema: pa.Schema) -> Iterator[tuple[str, list[str]]]:
    for field in schema:
        if named := (field.metadata or {}).get(CLASSES_METADATA):
            yield field.name.removeprefix(score_column("")), [str(name) for name in json.loads(named)]


def _matrix(column: pa.ChunkedArray, field: pa.Field) -> npt.NDArray[np.generic]:
    """`[n, d]` of a column of scalars (d = 1) or of lists that are all equally long."""
    array = column.combine_chunks()
    if not pa.types.is_list(field.type):
        scalars: npt.NDArray[np.generic] = array.to_numpy(zero_copy_only=False)
        return scalars[:, None]
    flat: npt.NDArray[np.generic] = array.flatten().to_numpy(zero_copy_only=False)
    dim = int((field.metadata or {}).get(DIM_METADATA, len(flat) // max(len(array), 1)))
    return flat.reshape(len(array), dim)
