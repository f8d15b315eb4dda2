"""A unit, read as bounded batches of the common schema, with page checksums verified."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.schema import ROW
from transforms import schemas
from transforms.units import Rows, Unit, filesystem


class RowGroupUnreadable(Exception):
    """A row group cannot be decoded; the unit starts again without it."""

    def __init__(self, row_group: int, reason: str) -> None:
        super().__init__(f"row group {row_group}: {reason}")
        self.row_group = row_group
        self.reason = reason


def read_unit(
    unit: Unit, schema: pa.Schema, *, batch_rows: int, batch_bytes: int, without: Collection[int] = ()
) -> Iterator[pa.RecordBatch]:
    """The unit's rows in order, in batches of the common schema with the row numbers (`models.schema.ROW`) behind.

    Args:
        unit: what to read.
        schema: the common schema; missing columns are null, narrower types are widened.
        batch_rows: most rows of a batch.
        batch_bytes: a batch is cut so that it holds about this many bytes, by the row group's average.
        without: row groups that are left out, since they were found unreadable.

    Raises:
        RowGroupUnreadable: a page's checksum or content is wrong. All its rows must be counted as lost, also those
            that were read before: what is published must not depend on the size of batches.
    """
    fs, path = filesystem(unit.uri)
    with fs.open_input_file(path) as source:
        file = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20)
        columns = [name for name in schema.names if name in file.schema_arrow.names]
        for piece in unit.slices:
            if piece.row_group in without:
                continue
            group = file.metadata.row_group(piece.row_group)
            per_row = max(1, group.total_byte_size // max(1, group.num_rows))
            rows = max(1, min(batch_rows, batch_bytes // per_row))
            for numbers, batch in _read_rows(file, piece, columns, rows):
                yield schemas.conform(batch, schema, unit.name).append_column(ROW, numbers)


def _read_rows(
    file: pq.ParquetFile, piece: Rows, columns: list[str], batch_rows: int
) -> Iterator[tuple[pa.Array, pa.RecordBatch]]:
    position = 0  # within the row group
    stop = piece.skip + piece.rows
    try:
        for batch in file.iter_batches(batch_rows, row_groups=[piece.row_group], columns=columns, use_threads=False):
            start, end = max(piece.skip, position), min(stop, position + batch.num_rows)
            if start < end:
                origin = piece.first - piece.skip  # the row group's first row, numbered in the file
                yield (
                    pa.array(np.arange(origin + start, origin + end)),
                    batch.slice(start - position, end - start),
                )
            position += batch.num_rows
            if position >= stop:
                return
    except (OSError, pa.ArrowException) as error:
        raise RowGroupUnreadable(piece.row_group, str(error).strip().splitlines()[0]) from error
    if position < stop:
        raise RowGroupUnreadable(piece.row_group, f"must hold {stop} rows by its footer; got {position}")
