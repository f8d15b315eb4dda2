"""Small input folders for tests of planning, reading and keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.units import InputPlan, plan_input


def write_folder(folder: Path, files: Mapping[str, pa.Table], row_group_rows: int = 100) -> Path:
    """Write each table as a Parquet file with page checksums, and give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in files.items():
        pq.write_table(table, folder / name, row_group_size=row_group_rows, write_page_checksum=True)
    return folder


def keyed(start: int, stop: int) -> pa.Table:
    """Rows `k<i>` with value i, for start <= i < stop."""
    numbers = range(start, stop)
    return pa.table({"id": [f"k{i}" for i in numbers], "value": pa.array(numbers, pa.int64())})


def plan(folder: Path, *, unit_rows: int = 1000, unit_bytes: int = 1 << 30) -> InputPlan:
    """The folder's plan, with `id` and `value` as the columns that are read."""
    return plan_input(str(folder), ["id", "value"], unit_rows, unit_bytes)


def flip_byte(path: Path, row_group: int, column: int) -> None:
    """Flip one bit in the middle of a column chunk's pages."""
    chunk = pq.read_metadata(path).row_group(row_group).column(column)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    raw = bytearray(path.read_bytes())
    raw[start + chunk.total_compressed_size // 2] ^= 0x10
    path.write_bytes(bytes(raw))
