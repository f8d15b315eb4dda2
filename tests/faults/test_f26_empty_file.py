"""F26: 0-byte Parquet file."""

from __future__ import annotations

import pytest

from tests.faults.nights import TinyNight
from tests.faults.oracle import standing_manifest
from tests.pipelines.tiny_jobs import DATE, run_command

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.beam

WHY = "a Parquet file must have a footer; got 0 bytes"


def test_the_run_is_refused_and_names_the_file(tiny_night: TinyNight, capsys: Capture) -> None:
    """Exit 65: a file without bytes is what is left of a crashed writer, not a table without rows."""
    (tiny_night.inputs / "02.parquet").touch()

    ran = run_command(capsys, tiny_night.job)

    assert ran.code == 65
    assert f"02.parquet: {WHY}" in ran.error
    assert not list(tiny_night.out.glob("features/*"))


def test_the_others_are_published_where_that_is_allowed(tiny_night: TinyNight, capsys: Capture) -> None:
    """All 300 rows of the two others, and the file by its name in the manifest."""
    (tiny_night.inputs / "02.parquet").touch()

    ran = run_command(capsys, tiny_night.job, "--set", "quarantine.unreadable_files=allow")

    manifest = standing_manifest(tiny_night.out, DATE)
    assert manifest is not None
    assert (ran.code, ran.ledger["rows_published"]) == (0, 300)
    assert manifest["details"]["unusable_files"] == {"02.parquet": WHY}
    tiny_night.assert_sound()


def test_nothing_but_empty_files_is_no_input(tiny_night: TinyNight, capsys: Capture) -> None:
    """Exit 66 even where such files are allowed: there is nothing that a night could be made of."""
    for path in tiny_night.inputs.iterdir():
        path.write_bytes(b"")

    ran = run_command(capsys, tiny_night.job, "--set", "quarantine.unreadable_files=allow")

    assert (ran.code, "there must be a readable input file; got none" in ran.error) == (66, True)
