"""F40: Parquet footer made to exhaust its reader."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.measured import run_measured
from tests.faults.nights import TinyNight
from tests.pipelines.tiny_jobs import run_command
from tests.transforms.hostile_footers import GIGANTIC, HOSTILE, integer, write_file
from tests.transforms.parquet_inputs import keyed, write_folder
from transforms.footer_parser import whole_file

Capture = pytest.CaptureFixture[str]

GROWTH = 100 << 20
"""Bytes that the driver may grow by: FAULTS.md."""
SECONDS = 10.0
"""That one file may take."""
PLAN = """
import json, sys, time
from transforms.units import plan_input

plan_input(sys.argv[1], ["id"], 5000, 1 << 30)
before, began = peak(), time.monotonic()
found = plan_input(sys.argv[2], ["id"], 5000, 1 << 30)
print(json.dumps({"growth": peak() - before, "seconds": time.monotonic() - began, "rows": found.rows,
                  "unreadable": found.unreadable}))
"""
"""Plans a folder of good files, so that everything is loaded, then one of hostile files."""
READ = """
import json, sys
from transforms.read import RowGroupUnreadable, read_unit
from transforms.units import plan_input

found = plan_input(sys.argv[1], ["id"], 5000, 1 << 30)
before = peak()
try:
    rows = sum(b.num_rows for b in read_unit(found.units[0], found.schema, batch_rows=64, batch_bytes=1 << 20))
except RowGroupUnreadable:
    rows = -1
print(json.dumps({"rows": rows, "growth": peak() - before}))
"""
"""Reads the first unit of a folder; -1 rows are an unreadable row group."""


def test_planning_survives_them_all_in_little_memory_and_time(tmp_path: Path) -> None:
    """Every file is named with a reason, the good one beside them is planned, and the driver hardly grows."""
    good = write_folder(tmp_path / "good", {"a.parquet": keyed(0, 5)})
    bad = write_folder(tmp_path / "bad", {"good.parquet": keyed(0, 5)})
    for name, footer in HOSTILE.items():
        write_file(bad / f"{name}.parquet", footer)

    told = run_measured(PLAN, good, bad)

    assert told["rows"] == 5
    assert set(told["unreadable"]) == {f"{name}.parquet" for name in HOSTILE}
    assert told["growth"] < GROWTH
    assert told["seconds"] < SECONDS * len(HOSTILE)


def test_many_large_footers_do_not_lie_in_memory_together(tmp_path: Path) -> None:
    """Eight files whose footers of 30 MB each are fetched one after the other."""
    good = write_folder(tmp_path / "good", {"a.parquet": keyed(0, 5)})
    (tmp_path / "bad").mkdir()
    for number in range(8):
        write_file(tmp_path / "bad" / f"{number:02d}.parquet", b"\xff" * 30_000_000)
    write_folder(tmp_path / "bad", {"good.parquet": keyed(0, 5)})

    told = run_measured(PLAN, good, tmp_path / "bad")

    assert (len(told["unreadable"]), told["rows"]) == (8, 5)
    assert told["growth"] < GROWTH


@pytest.mark.beam
@pytest.mark.parametrize("name", ["a hundred thousand levels", "a list that says it has two billion row groups"])
def test_the_file_is_refused_and_the_others_published_where_that_is_allowed(
    tiny_night: TinyNight, capsys: Capture, name: str
) -> None:
    """Exit 65 naming it; with `allow` the 300 rows of the others. The first one even kills its parser's process."""
    write_file(tiny_night.inputs / "02.parquet", HOSTILE[name])

    refused = run_command(capsys, tiny_night.job)
    allowed = run_command(capsys, tiny_night.job, "--set", "quarantine.unreadable_files=allow")

    assert refused.code == 65
    assert "02.parquet: a Parquet footer must be readable; got " in refused.error
    assert (allowed.code, allowed.ledger["rows_published"]) == (0, 300)
    tiny_night.assert_sound(refused={"02.parquet"})  # the oracle reads footers in this process, and must not try


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd", "gzip"])
def test_a_page_that_says_it_unpacks_to_2_gib_costs_its_row_group(tmp_path: Path, codec: str) -> None:
    """Not a footer, but the same lie one level down: address space is asked for, memory is not taken."""
    (tmp_path / "a.parquet").write_bytes(with_lying_page(codec))

    told = run_measured(READ, tmp_path)

    assert told["rows"] == (
        100 if codec == "none" else -1
    )  # where nothing is packed, nobody looks at the size unpacked
    assert told["growth"] < GROWTH


def with_lying_page(codec: str) -> bytes:
    """A file of 100 rows whose one page says that it holds 2 GiB; the footer's sizes follow."""
    file = io.BytesIO()
    table = pa.table({"id": [b"x" * 1000] * 100})
    pq.write_table(table, file, compression=codec, use_dictionary=False)
    raw = file.getvalue()
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(0)
    start = chunk.data_page_offset
    assert raw[start : start + 3] == bytes([0x15, 0, 0x15])  # i32 field 1: a data page; i32 field 2: the size
    end = next(i for i in range(start + 3, len(raw)) if raw[i] < 0x80) + 1
    longer = raw[: start + 3] + integer(GIGANTIC)
    length = int.from_bytes(raw[-8:-4], "little")
    footer, size = raw[-8 - length : -8], chunk.total_compressed_size
    moved = size + len(longer) - end
    pages = longer + raw[end : -8 - length]
    return pages + whole_file(footer.replace(integer(size), integer(moved)))[4:]
