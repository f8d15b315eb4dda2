"""F25: truncated Parquet file."""

from __future__ import annotations

import pytest

from pipelines.verify import verify
from tests.faults.nights import TinyNight
from tests.faults.oracle import standing_manifest
from tests.pipelines.tiny_jobs import DATE, run_command

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.beam

CUTS = {"the last byte": -1, "the magic": -4, "the footer's length": -8, "most of the footer": -300, "all but 20": 20}
"""What is gone of the file -> where it ends now."""


def cut(night: TinyNight, end: int) -> None:
    """Truncate the night's second file."""
    path = night.inputs / "01.parquet"
    path.write_bytes(path.read_bytes()[:end])


@pytest.mark.parametrize("end", CUTS.values(), ids=CUTS.keys())
def test_the_run_is_refused_and_names_the_file(tiny_night: TinyNight, capsys: Capture, end: int) -> None:
    """Exit 65: its rows cannot be counted, so no ledger could be proved; what to do is said. Nothing is published."""
    cut(tiny_night, end)

    ran = run_command(capsys, tiny_night.job)

    assert ran.code == 65
    assert "got 1 that cannot be used: 01.parquet: a Parquet f" in ran.error
    assert "Set quarantine.unreadable_files to allow" in ran.error
    assert not list(tiny_night.out.glob("features/*"))


def test_the_last_good_output_still_stands(tiny_night: TinyNight, capsys: Capture) -> None:
    """A night that was published before stays as it was."""
    tiny_night.run()
    before = tiny_night.published()
    cut(tiny_night, -1)

    assert run_command(capsys, tiny_night.job).code == 65
    assert tiny_night.published().equals(before)
    assert not verify(tiny_night.out, DATE).problems


def test_the_others_are_published_where_that_is_allowed(tiny_night: TinyNight, capsys: Capture) -> None:
    """The manifest names the file that was left out and why; the ledger is that of the other's 150 rows."""
    cut(tiny_night, -1)

    ran = run_command(capsys, tiny_night.job, "--set", "quarantine.unreadable_files=allow")

    assert (ran.code, ran.ledger["rows_read"], ran.ledger["rows_published"]) == (0, 150, 150)
    manifest = standing_manifest(tiny_night.out, DATE)
    assert manifest is not None
    why = "a Parquet file must end with a footer; got something else (truncated?)"
    assert manifest["details"]["unusable_files"] == {"01.parquet": why}
    tiny_night.assert_sound()


def test_a_file_cut_between_two_writes_of_the_same_table_is_no_table(tiny_night: TinyNight, capsys: Capture) -> None:
    """A file that ends where a row group ends has no footer either: its rows are not taken for all there are."""
    path = tiny_night.inputs / "01.parquet"
    raw = path.read_bytes()
    footer = int.from_bytes(raw[-8:-4], "little")
    path.write_bytes(raw[: -8 - footer])

    assert run_command(capsys, tiny_night.job).code == 65


def test_a_truncated_file_that_was_repaired_is_another_run(tiny_night: TinyNight, capsys: Capture) -> None:
    """Once the file is whole again, the same command publishes all of it, and replaces the partial night."""
    whole = (tiny_night.inputs / "01.parquet").read_bytes()
    cut(tiny_night, -1)
    allow = ("--set", "quarantine.unreadable_files=allow")
    partial = run_command(capsys, tiny_night.job, *allow)
    (tiny_night.inputs / "01.parquet").write_bytes(whole)

    complete = run_command(capsys, tiny_night.job, *allow)

    assert (partial.ledger["rows_published"], complete.ledger["rows_published"]) == (150, 300)
    assert partial.ledger["run_id"] != complete.ledger["run_id"]
    tiny_night.assert_sound()
