"""Tests of redriving: what can be published now is, beside the rows that stand, which are not touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.config import load_job
from tests.pipelines.tiny_jobs import (
    DATE,
    SOURCE,
    published,
    quarantined,
    records,
    run_command,
    write_job,
    write_night,
)

pytestmark = pytest.mark.beam
Capture = pytest.CaptureFixture[str]


def write_strict_job(folder: Path, max_chars: int, **changes: Any) -> Path:
    """The job whose notes are masked when longer than `max_chars`."""
    note = {**SOURCE["modalities"]["note"], "max_chars": max_chars, "too_long": "mask"}
    return write_job(folder, modalities={**SOURCE["modalities"], "note": note}, **changes)


def night() -> pa.Table:
    """Ten customers, of whom c0001 and c0004 have nothing but a long note; then a repeated key and a missing one."""
    table = records(0, 10).to_pydict()
    for row in (1, 4):
        table["note"][row], table["age"][row], table["segment"][row] = f"word {row} " * 20, None, None
    table["id"] += ["c0000", None]
    table["note"] += ["again", "whose?"]
    table["age"] += [30.0, 30.0]
    table["segment"] += ["gold", "gold"]
    return pa.table(table, schema=records(0, 0).schema)


def reasons(job: Path) -> list[str]:
    """Why records are quarantined."""
    return sorted(line["reason"] for line in quarantined(load_job(job)))


def run_first_night(folder: Path, capsys: Capture) -> Path:
    """A night that was published with four records in quarantine."""
    job = write_strict_job(folder, 30)
    write_night(folder, night().slice(0, 3), night().slice(3))
    assert run_command(capsys, job).code == 0
    assert reasons(job) == ["key.duplicate", "key.missing", "row.no_modality", "row.no_modality"]
    return job


def test_records_that_are_usable_now_are_published_with_the_rest(tmp_path: Path, capsys: Capture) -> None:
    """After the limit was raised, the two long notes are; the rows that stood are the same bit by bit."""
    job = run_first_night(tmp_path, capsys)
    before = published(load_job(job))
    write_strict_job(tmp_path, 1000)

    ran = run_command(capsys, job, command="redrive")

    after = published(load_job(job))
    assert ran.code == 0
    assert (ran.ledger["rows_read"], ran.ledger["rows_published"], ran.ledger["rows_quarantined"]) == (12, 10, 2)
    assert after.column("id").to_pylist() == records(0, 10).column("id").to_pylist()
    stood = [i for i, key in enumerate(after.column("id").to_pylist()) if key not in ("c0001", "c0004")]
    assert after.take(stood).combine_chunks().equals(before.combine_chunks())


def test_a_redriven_row_is_what_a_run_would_have_made_of_it(tmp_path: Path, capsys: Capture) -> None:
    """Also its fingerprint is that of the settings it was made with."""
    job = run_first_night(tmp_path / "redriven", capsys)
    write_strict_job(tmp_path / "redriven", 1000)
    run_command(capsys, job, command="redrive")
    fresh = write_strict_job(tmp_path / "fresh", 1000)
    write_night(tmp_path / "fresh", night())
    run_command(capsys, fresh)

    rows, expected = (published(load_job(path)).slice(1, 1).combine_chunks() for path in (job, fresh))

    assert rows.column("id").to_pylist() == ["c0001"]
    assert rows.equals(expected)


def test_what_cannot_be_lifted_stays_in_quarantine(tmp_path: Path, capsys: Capture) -> None:
    """A repeated key and a missing one, with their whole records."""
    job = run_first_night(tmp_path, capsys)
    write_strict_job(tmp_path, 1000)

    run_command(capsys, job, command="redrive")

    lines = quarantined(load_job(job))
    assert reasons(job) == ["key.duplicate", "key.missing"]
    assert sorted(line["record"]["note"] for line in lines) == ["again", "whose?"]


def test_the_result_can_be_verified_and_is_in_the_history(tmp_path: Path, capsys: Capture) -> None:
    """A redriven publication is a run like any other, with manifest and report; staging is empty again."""
    job = run_first_night(tmp_path, capsys)
    write_strict_job(tmp_path, 1000)

    run_id = run_command(capsys, job, command="redrive").ledger["run_id"]

    folder = tmp_path / "out" / "runs" / run_id
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "report.html"}
    assert [path.name for path in (tmp_path / "out" / "staging").iterdir()] == ["leases"]
    assert "no problem" in verify(capsys, job)


def verify(capsys: Capture, job: Path) -> str:
    """What `amalgam verify` says."""
    from pipelines import cli

    capsys.readouterr()
    assert cli.main(["verify", str(job), "--date", DATE]) == 0
    return capsys.readouterr().out


def test_a_second_redrive_finds_nothing_to_do(tmp_path: Path, capsys: Capture) -> None:
    """The same publication stands before and after."""
    job = run_first_night(tmp_path, capsys)
    write_strict_job(tmp_path, 1000)
    first = run_command(capsys, job, command="redrive").ledger

    second = run_command(capsys, job, command="redrive").ledger

    assert (second["status"], second["run_id"]) == ("nothing to redrive", first["run_id"])


def test_without_quarantine_there_is_nothing_to_redrive(tmp_path: Path, capsys: Capture) -> None:
    """Exit 0: what was asked for is already so."""
    job = write_job(tmp_path)
    write_night(tmp_path, records(0, 3))
    run_command(capsys, job)

    ran = run_command(capsys, job, command="redrive")

    assert (ran.code, ran.ledger["status"], ran.ledger["rows_published"]) == (0, "nothing to redrive", 3)


def test_records_that_fail_again_are_quarantined_again(tmp_path: Path, capsys: Capture) -> None:
    """With a limit that is raised too little, everything is as it was, and redriving again adds no files."""
    job = run_first_night(tmp_path, capsys)
    write_strict_job(tmp_path, 40)

    first, second = (run_command(capsys, job, command="redrive") for _ in range(2))

    assert (first.code, first.ledger["rows_published"], first.ledger["rows_quarantined"]) == (0, 8, 4)
    assert reasons(job) == ["key.duplicate", "key.missing", "row.no_modality", "row.no_modality"]
    assert second.ledger["parts"] == first.ledger["parts"]
    assert "no problem" in verify(capsys, job)


def test_a_record_that_still_lies_in_quarantine_is_whole(tmp_path: Path, capsys: Capture) -> None:
    """So that it can be redriven once more, when the limit is right."""
    job = run_first_night(tmp_path, capsys)
    for max_chars in (40, 1000):
        write_strict_job(tmp_path, max_chars)
        ran = run_command(capsys, job, command="redrive")

    assert ran.ledger["rows_published"] == 10


def test_a_date_that_was_never_published_is_66(tmp_path: Path, capsys: Capture) -> None:
    """There is nothing to stand together with."""
    job = write_job(tmp_path)
    write_night(tmp_path, records(0, 3))

    ran = run_command(capsys, job, command="redrive")

    assert ran.code == 66
    assert f"date {DATE} must be published before it can be redriven" in ran.error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fusion": {"kind": "weighted_sum", "dim": 8, "seed": 1}}, "fusion must be those of the published rows"),
        ({"fusion": {"kind": "concat", "dim": 8}}, "fusion must be those of the published rows"),
    ],
    ids=["seed", "kind"],
)
def test_rows_of_other_models_may_not_stand_beside(
    tmp_path: Path, capsys: Capture, change: dict[str, Any], words: str
) -> None:
    """Exit 78, and the publication stands as it was."""
    job = run_first_night(tmp_path, capsys)
    before = published(load_job(job))
    write_strict_job(tmp_path, 1000, **change)

    ran = run_command(capsys, job, command="redrive")

    assert ran.code == 78
    assert words in ran.error
    assert published(load_job(job)).equals(before)
    assert [path.name for path in (tmp_path / "out" / "staging").iterdir()] == ["leases"]


def test_rows_of_another_encoder_may_not_stand_beside(tmp_path: Path, capsys: Capture) -> None:
    """The message names what changed and the command that makes the date anew."""
    job = run_first_night(tmp_path, capsys)

    ran = run_command(capsys, job, "--set", "modalities.note.encoder.dim=128", command="redrive")

    assert ran.code == 78
    assert "encoders" in ran.error
    assert "Run `amalgam run`" in ran.error


def test_the_quarantine_limit_holds_for_the_result(tmp_path: Path, capsys: Capture) -> None:
    """Four of twelve is more than a quarter: refused, and the first publication stands."""
    job = run_first_night(tmp_path, capsys)

    ran = run_command(capsys, job, "--set", "quarantine.max_fraction=0.25", command="redrive")

    assert ran.code == 65
    assert "got 4 of 12" in ran.error
    assert published(load_job(job)).num_rows == 8


def test_readers_see_one_folder_with_every_key_once(tmp_path: Path, capsys: Capture) -> None:
    """Parts of the copied and of the redriven rows lie together and have one schema."""
    job = run_first_night(tmp_path, capsys)
    write_strict_job(tmp_path, 1000)
    run_command(capsys, job, command="redrive")

    files = sorted((tmp_path / "out" / "features" / f"date={DATE}").iterdir())

    assert len({str(pq.read_schema(path).remove_metadata()) for path in files}) == 1
    keys = [key for path in files for key in pq.ParquetFile(path).read(["id"]).column("id").to_pylist()]
    assert sorted(keys) == sorted(set(keys))
