"""Tests of verifying what was published: every kind of damage is found and named."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.verify import verify
from tests.transforms.sinks.samples import DATE, publish, rows, run_info, write_unit, write_units
from transforms.sinks.layout import Layout
from transforms.sinks.manifest import read_manifest, write_manifest
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec


def _sink(output: Path, tag: str = "aaaaaaaaaaaa") -> ParquetSink:
    return ParquetSinkSpec(path=str(output)).for_run(run_info(tag)).build()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A published date: 3 parts of 10 rows, one quarantine file of 2."""
    publish(_sink(tmp_path), write_units(_sink(tmp_path)))
    return tmp_path


def _parts(output: Path) -> list[Path]:
    return sorted(Layout(output).features(DATE).iterdir())


def _flip(path: Path, byte: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)


def test_what_was_published_is_found_good(output: Path) -> None:
    """3 parts and 1 quarantine file, 30 rows, no problems."""
    found = verify(output, DATE)
    assert (found.run_id, found.files, found.rows, found.problems) == (run_info().run_id, 4, 30, [])


def test_an_empty_date_is_good(tmp_path: Path) -> None:
    """A unit without rows has its part all the same."""
    publish(_sink(tmp_path), [write_unit(_sink(tmp_path), "00000-u", rows(0))])
    assert verify(tmp_path, DATE).problems == []


def test_every_flipped_bit_is_found(output: Path) -> None:
    """60 random flips over parts and quarantine: each is found, its file named, and 60 repairs are found good."""
    generator = random.Random(20)
    files = [*_parts(output), *Layout(output).quarantine(DATE).iterdir()]
    for _ in range(60):
        path = generator.choice(files)
        byte, bit = generator.randrange(path.stat().st_size), generator.randrange(8)
        _flip(path, byte, bit)
        assert any(str(path) in problem for problem in verify(output, DATE).problems), (path.name, byte, bit)
        _flip(path, byte, bit)
        assert verify(output, DATE).problems == []


def _truncate(output: Path) -> None:
    _parts(output)[1].write_bytes(_parts(output)[1].read_bytes()[:-5])


def _remove(output: Path) -> None:
    _parts(output)[1].unlink()


def _add_file(output: Path) -> None:
    (Layout(output).features(DATE) / "_SUCCESS").write_bytes(b"")


def _add_folder(output: Path) -> None:
    (Layout(output).features(DATE) / ".staging").mkdir()


def _lose_manifest(output: Path) -> None:
    Layout(output).manifest(run_info().run_id).unlink()


def _break_manifest(output: Path) -> None:
    Layout(output).manifest(run_info().run_id).write_bytes(b"{}")


def _lose_quarantine(output: Path) -> None:
    next(Layout(output).quarantine(DATE).iterdir()).unlink()


def _lose_everything(output: Path) -> None:
    for path in _parts(output):
        path.unlink()


def _mix_runs(output: Path) -> None:
    pq.write_table(pa.table({"a": [1]}, metadata={"amalgam.run_id": "another"}), _parts(output)[0])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_truncate, "part-00001-u-aaaaaaaaaaaa.parquet must have"),
        (_remove, "part-00001-u-aaaaaaaaaaaa.parquet must exist; got no such file"),
        (_add_file, "_SUCCESS must not be there: the manifest does not list it"),
        (_add_folder, ".staging must not be there: the manifest does not list it"),
        (_lose_manifest, "manifest.json must exist, because its run's parts stand in"),
        (_break_manifest, "manifest.json must be a manifest of format 1; got format None"),
        (_lose_quarantine, "part-00000-u-aaaaaaaaaaaa.parquet must exist; got no such file"),
        (_lose_everything, "date=2026-11-23 must hold the parts of a run; got none that can be read"),
        (_mix_runs, "part-00000-u-aaaaaaaaaaaa.parquet must be a part of the run 2026-11-23-aaaaaaaaaaaa; got another"),
    ],
)
def test_damage_is_named(output: Path, damage: Callable[[Path], None], sentence: str) -> None:
    """What is missing, too much, or broken is said in one sentence with the path."""
    damage(output)
    assert [problem for problem in verify(output, DATE).problems if sentence in problem]


def test_a_date_that_was_never_published_is_named(output: Path) -> None:
    """Nothing there is a problem, not a success."""
    assert verify(output, "2026-01-01").problems == [
        f"{output}/features/date=2026-01-01 must hold the published parts; got no such folder"
    ]


def test_a_ledger_that_does_not_balance_is_named(output: Path) -> None:
    """One row more read than came out of a unit."""
    path = Layout(output).manifest(run_info().run_id)
    manifest = read_manifest(path)
    manifest.ledger.units["00001-u"].rows_read += 1
    manifest.ledger.units["00002-u"].rows_read += 1
    manifest.ledger.units["00002-u"].rows_published += 1
    write_manifest(path, manifest)
    lines = verify(output, DATE).problems
    assert len(lines) == 2
    assert lines[0].startswith("unit 00001-u: rows planned must be rows read")
    assert lines[1] == "unit 00002-u: rows published must be rows written; got 11 counted, 10 written"


def test_a_unit_without_a_file_is_named(output: Path) -> None:
    """The ledger and the list of files must be of the same units."""
    path = Layout(output).manifest(run_info().run_id)
    manifest = read_manifest(path)
    write_manifest(path, replace(manifest, features=manifest.features[1:]))
    problems = verify(output, DATE).problems
    assert problems[0].startswith("the manifest's files must be those of the ledger's units")
    assert problems[1].endswith("part-00000-u-aaaaaaaaaaaa.parquet must not be there: the manifest does not list it")


def test_a_repeated_key_over_parts_is_named(tmp_path: Path) -> None:
    """Keys 0 to 9 and 5 to 14: five stand twice."""
    sink = _sink(tmp_path)
    publish(sink, [write_unit(sink, "00000-u", rows(10)), write_unit(sink, "00001-u", rows(10, first=5))])
    assert verify(tmp_path, DATE).problems == [
        f"{tmp_path}/features/date={DATE}: column 'customer_id' must hold each key once; got 5 keys too many"
    ]


def test_parts_of_different_schemas_are_named(tmp_path: Path) -> None:
    """All parts of a date have the columns of the first."""
    sink = _sink(tmp_path)
    other = rows(10, first=10).drop_columns(["segment"])
    publish(sink, [write_unit(sink, "00000-u", rows(10)), write_unit(sink, "00001-u", other)])
    (problem,) = verify(tmp_path, DATE).problems
    assert "part-00001-u-aaaaaaaaaaaa.parquet must have the schema of the other parts" in problem
