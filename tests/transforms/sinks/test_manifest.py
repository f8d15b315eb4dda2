"""Tests of the record of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import CorruptArtifact
from tests.transforms.sinks.samples import counts, publish, run_info, write_units
from transforms.ledger import Ledger, UnitCounts
from transforms.sinks.base import FileRecord, Manifest, Part
from transforms.sinks.layout import Layout, part_name, safe_name
from transforms.sinks.manifest import list_runs, read_manifest, write_manifest
from transforms.sinks.parquet import ParquetSinkSpec

COUNTS = UnitCounts(
    rows_read=10,
    rows_published=7,
    quarantined=Counter({"key.missing": 3}),
    issues=Counter({"photo.decode_failed": 2}),
    examples={"photo.decode_failed": "c1"},
    present=Counter({"photo": 5}),
    absent=Counter({"photo": 1}),
    masked=Counter({"photo": 1}),
    bytes_read=1234,
    seconds={"read": 0.25},
)
FILE = FileRecord("part-u-x.parquet", 7, 999, "ab" * 32)
MANIFEST = Manifest(run_info(), (FILE,), (), Ledger({"u": COUNTS}), {"fencing_number": 3, "keep": ["segment"]})


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    """What is read is what was written, counters and all."""
    write_manifest(tmp_path / "runs" / "manifest.json", MANIFEST)
    assert read_manifest(tmp_path / "runs" / "manifest.json") == MANIFEST


@pytest.mark.parametrize(("written", "altered"), [(b"1.5e-05", b"1.5E-05"), (b'"fencing": 3', b'"fencing": 2')])
def test_an_altered_manifest_is_named(tmp_path: Path, written: bytes, altered: bytes) -> None:
    """Also where it is still JSON, and even where it still says the same."""
    path = tmp_path / "manifest.json"
    write_manifest(path, replace(MANIFEST, details={"fencing": 3, "seconds": 1.5e-05}))
    content = path.read_bytes()
    assert content.count(written) == 1
    path.write_bytes(content.replace(written, altered))
    with pytest.raises(CorruptArtifact, match=r"manifest\.json must hold what was written"):
        read_manifest(path)


@pytest.mark.parametrize("quarantine", [None, FileRecord("q", 3, 5, "cd")])
def test_a_part_comes_back(quarantine: FileRecord | None) -> None:
    """The record of a unit, with and without quarantine."""
    part = Part("u", FILE, quarantine, COUNTS)
    assert Part.from_json(part.to_json()) == part


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 2}', b'{"format": 1, "run": {}}'])
def test_what_is_no_manifest_is_named(tmp_path: Path, content: bytes) -> None:
    """Truncated, of another form, or of a later version."""
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(CorruptArtifact, match=r"manifest\.json must"):
        read_manifest(path)


def test_runs_are_listed_in_order(tmp_path: Path) -> None:
    """By date, whatever the order of publication."""
    for date in ("2026-11-24", "2026-11-22", "2026-11-23"):
        sink = ParquetSinkSpec(path=str(tmp_path)).for_run(run_info(date=date)).build()
        publish(sink, write_units(sink, units=1))
    assert [manifest.run.date for manifest in list_runs(tmp_path)] == ["2026-11-22", "2026-11-23", "2026-11-24"]
    assert list_runs(tmp_path / "nothing") == []


def test_names_of_parts_tell_unit_and_run() -> None:
    """Two runs never use one name for different rows."""
    assert part_name("00001-ab", run_info("0123456789ab")) == "part-00001-ab-0123456789ab.parquet"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "-x"])
def test_names_that_files_cannot_have_are_refused(name: str) -> None:
    """A unit or job cannot lead out of its folder."""
    with pytest.raises(ValueError, match="name for files"):
        safe_name(name)


def test_the_layout_is_that_of_the_contract() -> None:
    """CONTRACT.md, Output."""
    layout = Layout(Path("out"))
    assert str(layout.features("2026-11-23")) == "out/features/date=2026-11-23"
    assert str(layout.quarantine("2026-11-23")) == "out/quarantine/date=2026-11-23"
    assert str(layout.manifest("r")) == "out/runs/r/manifest.json"
    assert str(layout.staging("r").root) == "out/staging/r"


def test_counts_of_the_samples_balance() -> None:
    """The helper that these tests rest on."""
    counts(7, 3).check("unit", 10)
