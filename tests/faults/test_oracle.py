"""Tests of the oracle itself: each sort of damage makes it raise, with a sentence that names it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.retail import MARK
from tests.faults import oracle, readers
from tests.faults.nights import TinyNight, make_night
from tests.faults.oracle import leftovers
from tests.pipelines.tiny_jobs import DATE, records
from tests.transforms.parquet_inputs import flip_byte
from transforms.sinks.base import FileRecord
from transforms.sinks.durable import sha256_of
from transforms.sinks.lease import Lease
from transforms.sinks.manifest import read_manifest, write_manifest

ROWS = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TinyNight:
    """60 rows in two files; c0005 stands twice, one row has no key, and one has no usable modality."""
    first, second = records(0, 30).to_pydict(), records(30, 60).to_pydict()
    first["id"][7] = "c0005"
    second["id"][0] = None
    second["note"][1], second["age"][1], second["segment"][1] = None, None, None
    schema = records(0, 1).schema
    night = make_night(tmp_path_factory.mktemp("oracle"), pa.table(first, schema), pa.table(second, schema))
    night.run()
    return night


@pytest.fixture
def night(made: TinyNight, tmp_path: Path) -> TinyNight:
    """A copy that a test may damage."""
    shutil.copytree(made.folder, tmp_path / "night")
    return TinyNight(tmp_path / "night", tmp_path / "night" / "job.yaml")


def part(night: TinyNight, number: int = 0, kind: str = "features") -> Path:
    """One of the files that stand."""
    return sorted((night.out / kind / f"date={DATE}").iterdir())[number]


def rewrite(night: TinyNight, change: Callable[[pa.Table], pa.Table], kind: str = "features") -> None:
    """Change the rows of the first file, and its record with them, as a faulty program would."""
    path = part(night, kind=kind)
    with pq.ParquetFile(path) as file:
        table = file.read()
    table = change(table)
    pq.write_table(table, path, write_page_checksum=True)
    record = FileRecord(path.name, table.num_rows, path.stat().st_size, sha256_of(path))
    (manifest,) = night.out.glob("runs/*/manifest.json")
    before = read_manifest(manifest)
    others = [file for file in getattr(before, kind) if file.name != path.name]
    write_manifest(manifest, replace(before, **{kind: (*others, record)}))  # type: ignore[arg-type]  # kind is a field


def replaced(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    """The table with another value in one cell."""
    index = table.column_names.index(name)
    values = table[name].to_pylist()
    values[row] = value
    return table.set_column(index, table.schema.field(name), pa.array(values, table.schema.field(name).type))


def test_what_a_run_published_is_sound(made: TinyNight) -> None:
    """57 rows: of 60, one repeats a key, one has no key and one no usable modality."""
    made.assert_sound(undisturbed=made.published())
    assert made.published().num_rows == ROWS - 3


def _lose_a_row(night: TinyNight) -> None:
    rewrite(night, lambda table: table.slice(1))


def _double_a_key(night: TinyNight) -> None:
    rewrite(night, lambda table: pa.concat_tables([table, table.slice(0, 1)]))


def _publish_what_is_quarantined(night: TinyNight) -> None:
    rewrite(night, lambda table: replaced(table, "id", 0, "c0031"))


def _invent_a_key(night: TinyNight) -> None:
    rewrite(night, lambda table: replaced(table, "id", 0, "c9999"))


def _lose_a_quarantined_row(night: TinyNight) -> None:
    rewrite(night, lambda table: table.slice(1), "quarantine")


def _quarantine_as_unreadable(night: TinyNight) -> None:
    rewrite(night, lambda table: replaced(table, "reason", 0, "file.row_group"), "quarantine")


def _break_input(night: TinyNight) -> None:
    flip_byte(night.inputs / "00.parquet", row_group=0, column=0)


def _add_input(night: TinyNight) -> None:
    pq.write_table(records(60, 61), night.inputs / "02.parquet")


def _break_footer(night: TinyNight) -> None:
    (night.inputs / "01.parquet").write_bytes(b"")


def _add_foreign_file(night: TinyNight) -> None:
    (part(night).parent / "_SUCCESS").write_bytes(b"")


def _add_hidden_folder(night: TinyNight) -> None:
    (night.out / "features" / "_staging").mkdir()


def _flip_a_bit(night: TinyNight) -> None:
    flip_byte(part(night), row_group=0, column=0)


def _remove_a_part(night: TinyNight) -> None:
    part(night, 1).unlink()


def _lose_the_manifest(night: TinyNight) -> None:
    (manifest,) = night.out.glob("runs/*/manifest.json")
    manifest.write_bytes(manifest.read_bytes()[:100])


def _miscount(night: TinyNight) -> None:
    (path,) = night.out.glob("runs/*/manifest.json")
    manifest = read_manifest(path)
    next(iter(manifest.ledger.units.values())).rows_read += 1
    write_manifest(path, manifest)


def _alter_a_value(night: TinyNight) -> None:
    rewrite(night, lambda table: replaced(table, "fused", 3, [0.5] * 8))


def _rename_a_column(night: TinyNight) -> None:
    for number in range(2):
        path = part(night, number)
        pq.write_table(pq.ParquetFile(path).read().rename_columns({"fused": "mixed"}), path)


def _mask_what_is_there(night: TinyNight) -> None:
    rewrite(night, lambda table: replaced(table, "has_note", 2, False))


def _publish_nan(night: TinyNight) -> None:
    rewrite(night, lambda table: replaced(table, "fused", 2, [np.nan] + [0.0] * 7))


def _shorten_a_vector(night: TinyNight) -> None:
    rewrite(night, lambda table: replaced(table, "fused", 2, [0.5]))


def _leave_a_version(night: TinyNight) -> None:
    (night.out / "versions" / f"date={DATE}" / "dead" / "features").mkdir(parents=True)


def _leave_staging(night: TinyNight) -> None:
    (night.out / "staging" / f"{DATE}-dead").mkdir()


@pytest.mark.beam
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_lose_a_row, "V1: every row must be published or quarantined; got neither for 'c0000'"),
        (_double_a_key, "V1: a key must be published once; got more of 'c0000'"),
        (_publish_what_is_quarantined, "V1: a row must be published or quarantined, not both; got both for 'c0031'"),
        (_invent_a_key, "V1: the output must hold keys of the input alone; got 'c9999'"),
        (_lose_a_quarantined_row, "V1: every row must be published or quarantined; got neither for 'c0005'"),
        (_quarantine_as_unreadable, "V1: a row that can be read must not be quarantined as file.row_group; got row 7"),
        (_break_input, "V1: every unreadable row must be quarantined by its number; got none of row 0, 1, 10 and 27"),
        (_add_input, "V1: published and quarantined rows must be the 61 of the input; got 60"),
        (_break_footer, "V1: the manifest must name the unusable files ['01.parquet']; got []"),
        (_add_foreign_file, "_SUCCESS must not be visible"),
        (_add_hidden_folder, "_staging must not be visible"),
        (_flip_a_bit, "must have the sha256"),
        (_remove_a_part, "must exist; got no such file"),
        (_lose_the_manifest, "must hold the files of one manifest; got those of none"),
        (_miscount, "V2: the manifest's files must hold the 61 rows of its ledger; got 60"),
        (_alter_a_value, "V4: column 'fused' must equal an undisturbed run's bit by bit; got others for 'c0003'"),
        (_rename_a_column, "V4: the schema must be that of an undisturbed run"),
        (_lose_a_row, "V4: the keys must be those of an undisturbed run; got a difference in 'c0000'"),
        (_mask_what_is_there, "V5: column 'emb_note' must be zero where its mask is false"),
        (_publish_nan, "V5: column 'fused' must hold finite numbers"),
        (_shorten_a_vector, "V5: column 'fused' must hold lists of length 8"),
        (_leave_a_version, f"versions/date={DATE}/dead/features must go, because no link leads there"),
        (_leave_staging, f"staging/{DATE}-dead"),
    ],
)
def test_damage_is_named(made: TinyNight, night: TinyNight, damage: Callable[[TinyNight], None], sentence: str) -> None:
    """One thing is wrong, and the oracle says which."""
    damage(night)
    with pytest.raises(AssertionError) as raised:
        night.assert_sound(undisturbed=made.published())
    lines = [line for line in str(raised.value).splitlines() if not line.startswith("verify: ")]
    assert [line for line in lines if sentence in line], raised.value


@pytest.mark.beam
def test_readers_that_differ_are_named(made: TinyNight, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that misses a row."""
    short = {**readers.READERS, "dask": lambda *where: readers.by_dask(*where).slice(1)}
    monkeypatch.setattr(oracle, "READERS", short)
    with pytest.raises(AssertionError, match="V3: dask must read the 57 published rows; got 56 rows"):
        made.assert_sound()


@pytest.mark.beam
def test_altered_keys_may_differ(made: TinyNight, night: TinyNight) -> None:
    """What the test itself changed is not compared; `verify` and the rest are content."""
    _alter_a_value(night)
    night.assert_sound(undisturbed=made.published(), altered={"c0003"})


@pytest.mark.beam
def test_a_lost_row_group_is_accounted_for(tmp_path: Path) -> None:
    """Damage in the key's column, and in another one: the oracle counts the rows of both groups by number."""
    night = make_night(tmp_path, records(0, 30), records(30, 60), row_group_rows=10)
    flip_byte(night.inputs / "00.parquet", row_group=1, column=0)
    flip_byte(night.inputs / "01.parquet", row_group=0, column=1)
    night.run()
    night.assert_sound()
    assert night.published().num_rows == ROWS - 20


@pytest.mark.beam
def test_a_refused_file_is_accounted_for(tmp_path: Path) -> None:
    """Its rows are not expected where the caller says that it is refused, and are where he does not."""
    other = records(30, 60)
    other = other.set_column(2, "age", pa.array(["thirty"] * 30))
    night = make_night(tmp_path, records(0, 30), other, quarantine={"max_fraction": 1, "unreadable_files": "allow"})
    night.run()
    night.assert_sound(refused={"01.parquet"})
    with pytest.raises(
        AssertionError, match=r"V1: the manifest must name the unusable files \[\]; got \['01.parquet'\]"
    ):
        night.assert_sound()


def test_a_held_lease_is_named(tmp_path: Path) -> None:
    """Held by this process, until it is released."""
    with Lease.acquire(tmp_path / "staging" / "leases", "shop", DATE):
        (problem,) = leftovers(tmp_path)
    assert problem.startswith(f"V6: {tmp_path}/staging/leases/shop-{DATE}.json must be released; got a lease held by")
    assert list(leftovers(tmp_path)) == []


@pytest.mark.parametrize(("name", "mark"), [("pipelines.beam_worker", ""), ("anything", "marked-for-this-test")])
def test_a_living_process_is_named(tmp_path: Path, name: str, mark: str) -> None:
    """A Beam worker among this process's children, and a process that carries the run's mark."""
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    command, environment, pipe = [sys.executable, "-c", code, name], {**os.environ, MARK: mark}, subprocess.PIPE
    child = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    found = list(leftovers(tmp_path, mark))
    child.communicate()
    assert len(found) == 1
    assert found[0].startswith(f"V6: no process of a run may live; got psutil.Process(pid={child.pid}")
    assert list(leftovers(tmp_path, mark)) == []
