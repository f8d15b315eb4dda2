"""Tests of `amalgam gc`: what is listed and with which words, what stays, what cannot be removed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from models.errors import StorageAway
from pipelines import cli, quantities
from pipelines.gc import collect
from pipelines.job import Job
from tests.pipelines.tiny_jobs import make_job
from tests.transforms.sinks.samples import DATE, publish, rows, run_info, write_unit, write_units
from tests.transforms.sinks.systems import LosesAnswers, WithoutExchange
from transforms.sinks import storage
from transforms.sinks.clock import FakeClock
from transforms.sinks.layout import Layout
from transforms.sinks.lease import Lease
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec
from transforms.sinks.placing import put_in_place, unlinked_versions
from transforms.sinks.retry import Patience

DAY = 86_400.0
NOW = 1_800_000_000.0
"""15 January 2027, 08:00 UTC."""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """The tiny job; its output is not there yet."""
    return make_job(tmp_path / "job")


@pytest.fixture
def clock() -> FakeClock:
    """A clock that says NOW."""
    return FakeClock(wall_seconds=NOW)


def _sink(output: Path, tag: str) -> ParquetSink:
    return ParquetSinkSpec(path=str(output)).for_run(run_info(tag)).build()


def _staged(output: Path, tag: str, days: float) -> Path:
    """The staging of a dead run in which nothing has changed for so many days."""
    write_unit(_sink(output, tag), "00000-u", rows(5))
    folder = Layout(output).staging(run_info(tag).run_id).root
    return _aged(folder, days)


def _aged(path: Path, days: float) -> Path:
    for each in (*path.rglob("*"), path):
        os.utime(each, (NOW - days * DAY,) * 2, follow_symlinks=False)
    return path


def _output(job: Job) -> Path:
    return Path(job.output.path)


def test_nothing_is_nothing(job: Job, clock: FakeClock) -> None:
    """An output that is not there yet has no leftovers, and is not made by looking."""
    assert collect(job, 7, clock=clock).text() == "Nothing to remove."
    assert not _output(job).exists()


def test_a_dry_run_says_what_it_would_do(job: Job, clock: FakeClock) -> None:
    """One line for each leftover with age and size; nothing goes."""
    folder = _staged(_output(job), "dead", 30)
    size = quantities.size(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
    lines = [" ".join(line.split()) for line in collect(job, 7, clock=clock).text().splitlines()]
    assert [line for line in lines if line.strip("─ ")] == [
        "leftover unchanged for size path",
        f"staging of a run, unfinished 30 d {size} {folder}",
        f"Would remove 1 leftover, {size}. This was a dry run: nothing was removed. Say --yes to remove it.",
    ]
    assert folder.exists()


@pytest.mark.parametrize(("age", "retention", "goes"), [(6.9, 7, False), (7.1, 7, True), (1, 0.5, True), (1, 0, True)])
def test_what_is_older_than_the_retention_goes(
    job: Job, clock: FakeClock, age: float, retention: float, goes: bool
) -> None:
    """By the newest change in the folder, and by the clock that is given."""
    folder = _staged(_output(job), "dead", age)
    collection = collect(job, retention, remove=True, clock=clock)
    assert folder.exists() is not goes
    assert (len(collection.garbage), len(collection.young)) == (goes, not goes)


def test_one_new_file_keeps_the_folder(job: Job, clock: FakeClock) -> None:
    """A run that is resumed again and again is not old."""
    folder = _staged(_output(job), "dead", 30)
    _aged(folder / "units" / "00000-u.json", 2)
    text = collect(job, 7, remove=True, clock=clock).text()
    assert folder.exists()
    assert text.startswith("Nothing to remove.\nKept 1 leftover, ")
    assert text.endswith("changed within the last 7 days (--older-than).")


def test_a_clock_that_is_a_day_ahead_removes_nothing_of_a_living_run(job: Job, clock: FakeClock) -> None:
    """The run works on another machine, and this one's clock says that it has been silent for a day."""
    folder = _staged(_output(job), "alive", 0)
    elsewhere = FakeClock(wall_seconds=NOW)
    with Lease.acquire(Layout(_output(job)).leases, "retail", DATE, clock=elsewhere) as lease:
        clock.wall_seconds += DAY
        assert collect(job, 0, clock=clock).garbage == []
        collection = collect(job, 0, remove=True, clock=clock)
        lease.check()
    assert folder.exists()
    assert "Kept 1 leftover" in collection.text()
    assert "of a run that may be at work" in collection.text()


def test_a_published_runs_staging_is_called_finished(job: Job, clock: FakeClock) -> None:
    """As after a kill between publishing and sweeping; what stands stays."""
    sink = _sink(_output(job), "done")
    publish(sink, write_units(sink))
    _staged(_output(job), "done", 30)
    collection = collect(job, 7, remove=True, clock=clock)
    assert [leftover.what for leftover in collection.garbage] == ["staging of a run, finished"]
    assert sink.is_published()


def test_versions_that_nobody_reads_go(job: Job, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the layout with links: a version that was replaced and not swept; the one that stands stays."""
    monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    output, layout = _output(job), Layout(_output(job))
    old, new = _sink(output, "old"), _sink(output, "new")
    publish(old, write_units(old, removed=0))
    write_units(new, removed=0)
    staged = layout.staging(run_info("new").run_id).features
    put_in_place(staged, layout.features(DATE), layout.versions(DATE) / run_info("new").run_id / "features")
    _aged(layout.all_versions, 30)
    (unlinked,) = unlinked_versions(layout, DATE)

    collection = collect(job, 7, remove=True, clock=clock)

    found = {leftover.what: leftover.path for leftover in collection.garbage}
    assert found.keys() == {"version without a link", "staging of a run, unfinished"}
    assert found["version without a link"] == unlinked
    assert not unlinked.parent.exists()
    assert len(list(layout.features(DATE).iterdir())) == 3


def test_records_leases_and_what_readers_read_are_never_touched(job: Job, clock: FakeClock) -> None:
    """However old: manifests, reports, features, quarantine, and the leases with their numbers."""
    output = _output(job)
    sink = _sink(output, "done")
    publish(sink, write_units(sink))
    with Lease.acquire(Layout(output).leases, "retail", DATE):
        pass
    (output / "features" / ".odd.parquet.0123456789abcdef0123456789abcdef").write_bytes(b"")
    _aged(output, 3650)
    before = set(output.rglob("*"))
    assert collect(job, 0, remove=True, clock=clock).garbage == []
    assert set(output.rglob("*")) == before


def test_the_embedded_history_is_looked_at_too(job: Job, clock: FakeClock) -> None:
    """It is an output like the nights', below the artifacts."""
    folder = _staged(job.artifacts / "history", "dead", 30)
    collect(job, 7, remove=True, clock=clock)
    assert not folder.exists()


def test_what_cannot_be_removed_does_not_keep_the_rest(
    job: Job, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is kept for the end, and what was removed is told."""
    runs = Layout(_output(job)).runs / "r"
    runs.mkdir(parents=True)
    stuck, other = (runs / f".manifest.json.{digit * 32}" for digit in "01")
    for path in (stuck, other):
        path.write_bytes(b"x")
        _aged(path, 30)
    monkeypatch.setattr(storage, "PATIENCE", Patience(sleep=lambda _: None))
    monkeypatch.setattr(storage, "SYSTEM", LosesAnswers(errno.EIO, lambda path: path == stuck, acts=False))
    collection = collect(job, 7, remove=True, clock=clock)
    assert (stuck.exists(), other.exists()) == (True, False)
    assert [leftover.path for leftover in collection.garbage] == [other]
    assert [type(error) for error in collection.errors] == [StorageAway]


def test_the_command_lists_and_removes(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """Dry by default, --yes removes; exit code 0 both times. (Against the real clock, 2027 is ages ahead.)"""
    folder = _staged(_output(job), "dead", 3650)
    path = str(job.folder / "job.yaml")
    assert cli.main(["gc", path]) == 0
    assert "Would remove 1 leftover" in capsys.readouterr().out
    assert cli.main(["gc", path, "--older_than", "4000", "--yes"]) == 0
    assert "Kept 1 leftover" in capsys.readouterr().out
    assert cli.main(["gc", path, "--yes"]) == 0
    assert "Removed 1 leftover" in capsys.readouterr().out
    assert not folder.exists()


def test_a_negative_age_is_wrong_usage(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """64, as for every option."""
    assert cli.main(["gc", str(job.folder / "job.yaml"), "--older-than", "-1"]) == 64
    assert "--older-than" in capsys.readouterr().err
