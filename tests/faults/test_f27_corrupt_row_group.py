"""F27: corrupt bytes in one row group of the input."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.nights import TinyNight, make_night
from tests.pipelines.tiny_jobs import records, run_command
from tests.transforms.parquet_inputs import flip_byte
from transforms.read import RowGroupUnreadable, read_unit
from transforms.units import InputPlan, Unit, plan_input

Capture = pytest.CaptureFixture[str]

FLIPS = 300
LAYOUTS: dict[str, dict[str, Any]] = {
    "snappy, dictionaries": {"compression": "snappy"},
    "zstd, dictionaries": {"compression": "zstd"},
    "plain, not compressed": {"compression": "none", "use_dictionary": False},
    "second version of pages": {"compression": "zstd", "data_page_version": "2.0"},
    "many pages": {"compression": "none", "data_page_size": 100},
}


def planned(folder: Path, **options: Any) -> InputPlan:
    """300 records in three row groups of one file, written as told."""
    folder.mkdir()
    pq.write_table(records(0, 300), folder / "a.parquet", row_group_size=100, **options)
    return plan_input(str(folder), ["id"], 5000, 1 << 30)


def read(unit: Unit, schema: pa.Schema, without: set[int]) -> pa.Table:
    """All rows of the unit that are not left out."""
    batches = list(read_unit(unit, schema, batch_rows=64, batch_bytes=1 << 20, without=without))
    return pa.Table.from_batches(batches)


def read_and_lose(found: InputPlan) -> tuple[pa.Table, set[int]]:
    """What can be read, and the row groups that cannot: as a run reads."""
    lost: set[int] = set()
    while True:
        try:
            return read(found.units[0], found.schema, lost), lost
        except RowGroupUnreadable as error:
            lost.add(error.row_group)


def flips(path: Path, row_group: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """(place, whole file) with one random bit flipped anywhere in the row group, page headers included."""
    raw = path.read_bytes()
    group = pq.read_metadata(path).row_group(row_group)
    chunks = [group.column(i) for i in range(group.num_columns)]
    first = min(chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks)
    size = sum(chunk.total_compressed_size for chunk in chunks)
    draw = random.Random(seed)
    for _ in range(FLIPS):
        place = first + draw.randrange(size)
        yield place, raw[:place] + bytes([raw[place] ^ 1 << draw.randrange(8)]) + raw[place + 1 :]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_with_checksums_no_flip_changes_a_row_that_is_read(tmp_path: Path, layout: str) -> None:
    """Of 300 flips each one costs its row group, or it hit a byte that decides nothing: never a wrong value."""
    found = planned(tmp_path / "in", write_page_checksum=True, **LAYOUTS[layout])
    path = tmp_path / "in" / "a.parquet"
    whole = read(found.units[0], found.schema, set())
    rest = read(found.units[0], found.schema, {1})
    harmless = 0

    for place, damaged in flips(path, row_group=1, seed=27):
        path.write_bytes(damaged)
        table, lost = read_and_lose(found)
        assert lost <= {1}, f"byte {place}"
        assert table.equals(rest if lost else whole), f"byte {place}"
        harmless += not lost

    # Page headers hold statistics that nothing is read by: up to 15 % of these small pages.
    assert harmless < 0.2 * FLIPS


def test_without_checksums_damage_passes_and_is_why_the_file_is_called_unverified(tmp_path: Path) -> None:
    """The same flips, in a file without checksums: some give other rows, as no reader could tell."""
    found = planned(tmp_path / "in", **LAYOUTS["plain, not compressed"])
    path = tmp_path / "in" / "a.parquet"
    whole = read(found.units[0], found.schema, set())
    wrong = 0

    for _, damaged in flips(path, row_group=1, seed=27):
        path.write_bytes(damaged)
        table, lost = read_and_lose(found)
        wrong += not lost and not table.equals(whole)

    assert wrong > FLIPS / 2
    assert found.unverified == ("a.parquet",)


def test_the_plan_records_what_the_input_was(tmp_path: Path) -> None:
    """Size, sha256 of the footer, rows: enough to tell later whether a file was written anew."""
    found = planned(tmp_path / "in", write_page_checksum=True)

    file = found.files[0]
    assert found.digests == {"a.parquet": {"size": file.size, "footer_sha256": file.footer, "rows": 300}}
    assert file.size == (tmp_path / "in" / "a.parquet").stat().st_size
    assert found.unverified == ()


@pytest.mark.beam
@pytest.mark.parametrize("column", range(4), ids=["key", "text", "number", "category"])
def test_a_damaged_column_costs_the_row_group_and_its_neighbours_nothing(
    tmp_path: Path, capsys: Capture, column: int
) -> None:
    """Its 100 rows are quarantined as `file.row_group`; all others are bitwise those of an undisturbed night."""
    night: TinyNight = make_night(tmp_path / "tiny", records(0, 300))
    night.run(f"output.path={tmp_path / 'quiet'}")
    flip_byte(night.inputs / "00.parquet", row_group=1, column=column)

    ran = run_command(capsys, night.job)

    lost = {f"c{i:04d}" for i in range(100, 200)}
    assert (ran.code, ran.ledger["quarantined"]) == (0, {"file.row_group": 100})
    night.assert_sound(undisturbed=night.published(tmp_path / "quiet"), altered=lost)
