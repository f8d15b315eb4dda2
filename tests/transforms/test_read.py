"""Tests of reading: every row once, in order, verified, in bounded batches."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from models.errors import TemporaryError
from models.schema import ROW
from tests.transforms.parquet_inputs import flip_byte, keyed, plan, write_folder
from transforms.read import RowGroupUnreadable, read_unit
from transforms.units import InputPlan


def read_all(found: InputPlan, batch_rows: int = 64, batch_bytes: int = 1 << 30) -> list[pa.RecordBatch]:
    """All batches of all units."""
    return [
        batch
        for unit in found.units
        for batch in read_unit(unit, found.schema, batch_rows=batch_rows, batch_bytes=batch_bytes)
    ]


@pytest.mark.parametrize(("unit_rows", "batch_rows"), [(1000, 64), (70, 64), (33, 7), (1, 1)])
def test_every_row_is_read_once_in_order(tmp_path: Path, unit_rows: int, batch_rows: int) -> None:
    """However units and batches are cut, the values and the row numbers count up."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 250)})

    batches = read_all(plan(folder, unit_rows=unit_rows), batch_rows)

    assert [v for b in batches for v in b.column("value").to_pylist()] == list(range(250))
    assert [v for b in batches for v in b.column(ROW).to_pylist()] == list(range(250))
    assert max(b.num_rows for b in batches) <= batch_rows


def test_batches_are_bounded_in_bytes(tmp_path: Path) -> None:
    """Rows of 10 kB in batches of about 50 kB: at most five rows each."""
    table = pa.table({"id": [str(i) for i in range(40)], "value": [i.to_bytes(2, "big") * 5000 for i in range(40)]})
    folder = write_folder(tmp_path, {"a.parquet": table})

    batches = read_all(plan(folder), batch_rows=1000, batch_bytes=50_500)

    assert max(b.num_rows for b in batches) <= 5
    assert sum(b.num_rows for b in batches) == 40


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.binary())], ids=str)
def test_batches_are_cut_by_the_rows_they_hold_not_by_the_average(tmp_path: Path, kind: pa.DataType) -> None:
    """Nine cells of 100 kB in a hundred small ones: however they stand, 250 kB hold at most two of them."""
    sizes = [100_000 if i in (3, 4, 5, 6, 7, 8, 50, 99, 100) else 10 for i in range(109)]
    values = pa.array([i.to_bytes(2, "big") * (size // 2) for i, size in enumerate(sizes)])
    values = values.dictionary_encode() if pa.types.is_dictionary(kind) else values.cast(kind)
    folder = write_folder(tmp_path, {"a.parquet": pa.table({"id": map(str, range(109)), "value": values})}, 109)

    batches = read_all(plan(folder), batch_rows=1000, batch_bytes=250_000)

    assert [len(v) for b in batches for v in b.column("value").to_pylist()] == sizes
    assert [v for b in batches for v in b.column(ROW).to_pylist()] == list(range(109))
    assert max(b.nbytes for b in batches) <= 250_000


def test_a_cell_above_the_limit_stands_alone(tmp_path: Path) -> None:
    """A batch is never cut within a row."""
    table = pa.table({"id": ["a", "b", "c"], "value": [b"x", b"x" * 5000, b"x"]})
    folder = write_folder(tmp_path, {"a.parquet": table})

    assert [b.num_rows for b in read_all(plan(folder), batch_bytes=1000)] == [1, 1, 1]


def test_a_file_that_was_written_anew_since_it_was_planned_is_not_read(tmp_path: Path) -> None:
    """Its rows would be counted and cut by another file's footer; planning again helps."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 300)})
    found = plan(folder)
    write_folder(tmp_path, {"a.parquet": keyed(1, 301)})

    with pytest.raises(TemporaryError, match=r"a\.parquet must stay as it is while a run reads it"):
        read_all(found)


@pytest.mark.parametrize("content", [b"", b"PAR1"])
def test_so_is_one_that_lost_its_footer(tmp_path: Path, content: bytes) -> None:
    """Somebody is writing it at this moment."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 300)})
    found = plan(folder)
    (folder / "a.parquet").write_bytes(content)

    with pytest.raises(TemporaryError, match="got another file than was planned"):
        read_all(found)


@pytest.mark.parametrize("batch_rows", [10, 1000])
def test_a_flipped_bit_makes_its_row_group_unreadable(tmp_path: Path, batch_rows: int) -> None:
    """The page's checksum finds it, whatever the size of batches, and the message names the row group."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 300)})
    flip_byte(folder / "a.parquet", row_group=1, column=1)

    with pytest.raises(RowGroupUnreadable) as caught:
        read_all(plan(folder), batch_rows)

    assert caught.value.row_group == 1


def test_the_others_are_read_without_it(tmp_path: Path) -> None:
    """Left out by name, a broken row group costs its own rows only."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 300)})
    flip_byte(folder / "a.parquet", row_group=1, column=1)
    found = plan(folder)

    batches = list(read_unit(found.units[0], found.schema, batch_rows=64, batch_bytes=1 << 30, without={1}))

    assert [v for b in batches for v in b.column("value").to_pylist()] == [*range(100), *range(200, 300)]


def test_missing_columns_are_null_and_narrow_types_widened(tmp_path: Path) -> None:
    """The second file lacks nothing that a reader of the common schema would notice."""
    narrow = pa.table({"id": ["x"], "value": pa.array([7], pa.int16())})
    folder = write_folder(
        tmp_path, {"a.parquet": keyed(0, 1), "b.parquet": narrow, "c.parquet": pa.table({"id": ["y"]})}
    )

    batches = read_all(plan(folder))

    assert [b.column("value").to_pylist() for b in batches] == [[0], [7], [None]]
    assert {b.schema.field("value").type for b in batches} == {pa.int64()}
