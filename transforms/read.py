"""A unit, read as bounded batches of the common schema, with page checksums verified."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import TemporaryError
from models.schema import ROW
from transforms import schemas
from transforms.footer_parser import whole_file
from transforms.footers import NoFooter, digest, fetch_footer
from transforms.locations import open_file
from transforms.steady_file import SteadyFile
from transforms.units import Rows, Unit

T = TypeVar("T")

_BUFFER = 1 << 20  # bytes that are read ahead in every column
# Where cells may be much larger than their row group's average, few rows are decoded at once: what a step holds is
# bounded by this many of the largest cells.
_STEP_ROWS = 16
_STEP_BYTES = 256 << 10  # by the average; a step costs about 0.1 ms, so many small rows go together
_SLACK = 4  # times `batch_bytes` that a step may hold at worst before it is made smaller


class RowGroupUnreadable(Exception):
    """A row group cannot be decoded; the unit starts again without it."""

    def __init__(self, row_group: int, reason: str) -> None:
        super().__init__(f"row group {row_group}: {reason}")
        self.row_group = row_group
        self.reason = reason


def each_readable(
    unit: Unit, schema: pa.Schema, make: Callable[[pa.RecordBatch], T], *, batch_rows: int, batch_bytes: int
) -> list[T]:
    """What `make` gives of every batch of a unit, without row groups that cannot be read: those teach nothing.

    The run that publishes them counts them. For the arguments and other errors see `read_unit`.
    """
    lost: set[int] = set()
    while True:
        try:
            batches = read_unit(unit, schema, batch_rows=batch_rows, batch_bytes=batch_bytes, without=lost)
            return [make(batch) for batch in batches]
        except RowGroupUnreadable as error:
            lost.add(error.row_group)


def read_unit(
    unit: Unit, schema: pa.Schema, *, batch_rows: int, batch_bytes: int, without: Collection[int] = ()
) -> Iterator[pa.RecordBatch]:
    """The unit's rows in order, in batches of the common schema with the row numbers (`models.schema.ROW`) behind.

    Args:
        unit: what to read.
        schema: the common schema; missing columns are null, narrower types are widened.
        batch_rows: most rows of a batch.
        batch_bytes: most bytes of a batch, unless a single row has more.
        without: row groups that are left out, since they were found unreadable.

    Raises:
        RowGroupUnreadable: a page's checksum or content is wrong. All its rows must be counted as lost, also those
            that were read before: what is published must not depend on the size of batches.
        PermissionRefused, StorageAway: the storage refuses or does not answer, which is not the data's fault.
        TemporaryError: the file is another one than was planned.
        SchemaRefused: a value does not fit the common type.
    """
    with open_file(unit.uri, unit.name) as source:
        file = _open(source, unit)
        columns = [name for name in schema.names if name in file.schema_arrow.names]
        for piece in unit.slices:
            if piece.row_group in without:
                continue
            with _told_apart(source, piece.row_group):
                step = _step(file.metadata.row_group(piece.row_group), columns, batch_rows, batch_bytes)
                rows = _read_rows(file, piece, columns, step)
                conformed = (_conform(batch, numbers, schema, unit, batch_bytes) for numbers, batch in rows)
                yield from _cut((part for parts in conformed for part in parts), batch_rows, batch_bytes)


def _open(source: SteadyFile, unit: Unit) -> pq.ParquetFile:
    """The Parquet file by the footer that it was planned by, which the parser in the child has survived."""
    try:
        footer = fetch_footer(source)
    except NoFooter:
        footer = None
    if footer is None or digest(footer) != unit.footer:
        raise TemporaryError(
            f"{unit.name} must stay as it is while a run reads it; got another file than was planned. Run again"
        )
    return pq.ParquetFile(
        pa.PythonFile(source, mode="r"),
        metadata=pq.read_metadata(pa.BufferReader(whole_file(footer))),
        page_checksum_verification=True,
        pre_buffer=False,
        buffer_size=_BUFFER,
    )


@contextmanager
def _told_apart(source: SteadyFile, row_group: int) -> Iterator[None]:
    """Turn what pyarrow raises inside into the storage's failure where that is behind it, else the row group's."""
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:  # the last for a column's name in the footer
        if source.failure is not None:
            raise source.failure from error
        raise RowGroupUnreadable(row_group, str(error).strip().splitlines()[0]) from error


def _step(group: pq.RowGroupMetaData, columns: Collection[str], batch_rows: int, batch_bytes: int) -> int:
    """How many rows are decoded at once, by what the row group's footer says of sizes."""
    per_row = max(1, int(group.total_byte_size) // max(1, int(group.num_rows)))
    rows = max(1, min(batch_rows, batch_bytes // per_row))
    chunks = [group.column(i) for i in range(group.num_columns)]
    read = [chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] in columns]
    # At worst, a step holds all bytes of a plain column, and in each of its rows the largest entry of a dictionary.
    at_worst = sum(chunk.total_uncompressed_size * (rows if chunk.has_dictionary_page else 1) for chunk in read)
    if at_worst <= _SLACK * batch_bytes:
        return rows
    return min(rows, max(_STEP_ROWS, _STEP_BYTES // per_row))


def _read_rows(
    file: pq.ParquetFile, piece: Rows, columns: list[str], step: int
) -> Iterator[tuple[pa.Array, pa.RecordBatch]]:
    position = 0  # within the row group
    stop = piece.skip + piece.rows
    origin = piece.first - piece.skip  # the row group's first row, numbered in the file
    for batch in file.iter_batches(step, row_groups=[piece.row_group], columns=columns, use_threads=False):
        start, end = max(piece.skip, position), min(stop, position + batch.num_rows)
        if start < end:
            yield pa.array(np.arange(origin + start, origin + end)), batch.slice(start - position, end - start)
        position += batch.num_rows
        if position >= stop:
            return
    raise RowGroupUnreadable(piece.row_group, f"must hold {stop} rows by its footer; got {position}")


def _conform(
    batch: pa.RecordBatch, numbers: pa.Array, schema: pa.Schema, unit: Unit, batch_bytes: int
) -> Iterator[pa.RecordBatch]:
    """The batch in the common schema, in parts that are small before they are cast: plain offsets reach to 2 GiB."""
    first = 0
    for part in _halves(batch, batch_bytes):
        rows = numbers.slice(first, part.num_rows)
        first += part.num_rows
        yield from _halves(schemas.conform(part, schema, unit.name).append_column(ROW, rows), batch_bytes)


def _halves(batch: pa.RecordBatch, size: int) -> Iterator[pa.RecordBatch]:
    """The batch, cut in half until no part has more bytes than `size` or more rows than one."""
    if batch.num_rows <= 1 or batch.nbytes <= size:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _halves(batch.slice(0, middle), size)
    yield from _halves(batch.slice(middle), size)


def _cut(parts: Iterable[pa.RecordBatch], most_rows: int, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Small parts, put together to batches of at most so many rows and bytes."""
    pending: list[pa.RecordBatch] = []
    rows = size = 0
    for part in parts:
        if pending and (rows + part.num_rows > most_rows or size + part.nbytes > most_bytes):
            yield _together(pending)
            pending, rows, size = [], 0, 0
        pending.append(part)
        rows, size = rows + part.num_rows, size + part.nbytes
    if pending:
        yield _together(pending)


def _together(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)
