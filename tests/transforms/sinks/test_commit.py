"""Tests of publishing: crashes at every step, readers that look on, leftovers, damage."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from models.errors import ConfigError, CorruptArtifact, LeaseHeld, OutputError, PermissionRefused, TemporaryError
from tests.transforms.sinks.samples import (
    DATE,
    RECORD,
    SCHEMA,
    ledger_of,
    publish,
    rows,
    run_info,
    write_unit,
    write_units,
)
from transforms.sinks.commit import alone
from transforms.sinks.layout import Layout
from transforms.sinks.lease import Lease
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec
from transforms.sinks.placing import put_in_place, unlinked_versions
from transforms.sinks.standing import published_run

REPOSITORY = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("both_layouts")


def _sink(output: Path, tag: str = "new") -> ParquetSink:
    return ParquetSinkSpec(path=str(output)).for_run(run_info(tag)).build()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("stride", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_anywhere_the_next_call_finishes(tmp_path: Path, stride: int, both_layouts: str) -> None:
    """kill -9 before every change (or every eighth) to the files: old or new stands, whole; the rerun heals all."""
    script = Path(__file__).with_name("publish_killed_everywhere.py")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(stride), both_layouts],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    trials = [json.loads(line) for line in done.stdout.splitlines()]
    # Two versions: 2 units of 10 rows from models 1.0, or 3 units of 10 rows from models 2.0.
    assert {(*trial["stood"], trial["rows"]) for trial in trials} == {("models 1.0", 20), ("models 2.0", 30)}
    assert [trial["problems"] for trial in trials] == [[]] * len(trials)
    assert all(trial["resumable"] and trial["files"] == 3 and trial["staging"] == ["leases"] for trial in trials)
    assert all(trial["unlinked"] == [] and trial["linked"] == (both_layouts == "links") for trial in trials)
    assert sum(trial["killed"] for trial in trials) >= 60 / stride  # over 30 changes with quarantine, and without


class Watcher:
    """Reads a folder as fast as it can and remembers every successful read: (distinct fingerprints, rows).

    A hole is a moment at which the folder itself was not there.
    """

    def __init__(self, folder: Path) -> None:
        self.seen: set[tuple[int, int]] = set()
        self.reads = 0
        self.holes = 0
        self._folder = folder
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(1)

    def __enter__(self) -> Watcher:
        self._done = self._threads.submit(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._threads.shutdown()
        self._done.result()  # raises what the watcher met

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.holes += not self._folder.exists()
            try:
                dataset = ds.dataset(self._folder, format="parquet")
                if not dataset.files:
                    continue  # vanished while they were listed: no columns, so no reader goes on with it
                table = dataset.to_table(columns=["fingerprint"])
            except FileNotFoundError:
                continue  # listed before, opened after the exchange: loud, and another try sees the new run
            self.seen.add((len(table["fingerprint"].unique()), table.num_rows))
            self.reads += 1


def test_a_watcher_of_exchanges_never_sees_a_mixture(tmp_path: Path) -> None:
    """While two folders take each other's place 200 times, every successful read is one run's 30 rows."""
    old, new = _sink(tmp_path, "old"), _sink(tmp_path, "new")
    publish(old, write_units(old, value=1.0))
    write_units(new, value=2.0)
    target, staged = Layout(tmp_path).features(DATE), Layout(tmp_path).staging(run_info("new").run_id).features
    with Watcher(target) as watcher:
        for i in range(200):
            stood = target.resolve()
            put_in_place(staged, target, Layout(tmp_path).versions(DATE) / f"{i}" / "features")
            staged = stood if target.is_symlink() else staged  # where what was replaced lies now
            time.sleep(0.005)
    assert watcher.reads > 10
    assert watcher.seen == {(1, 30)}
    assert watcher.holes == 0


@pytest.mark.parametrize("runs", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_a_watcher_of_runs_never_sees_a_mixture(tmp_path: Path, runs: int) -> None:
    """While runs replace each other and clean up, every successful read is one run's 30 rows."""
    first = _sink(tmp_path, "first")
    publish(first, write_units(first, removed=0))
    with Watcher(Layout(tmp_path).features(DATE)) as watcher:
        for i in range(runs):
            sink = _sink(tmp_path, str(i))
            publish(sink, write_units(sink, value=float(i), removed=0))
    assert watcher.seen == {(1, 30)}
    assert watcher.holes == 0


def test_leftovers_of_dead_attempts_do_not_become_visible(tmp_path: Path) -> None:
    """Only recorded files are published, whatever else lies in staging."""
    sink = _sink(tmp_path)
    parts = write_units(sink)
    staging = Layout(tmp_path).staging(run_info("new").run_id)
    sink.open("99999-u", SCHEMA, RECORD).write(rows(5))  # never closed
    (staging.features / "part-99998-u-new.parquet").write_bytes(b"left over")
    publish(sink, parts)
    assert _names(Layout(tmp_path).features(DATE)) == [part.features.name for part in parts]
    assert _names(Layout(tmp_path).all_staging) == ["leases"]


def test_old_quarantine_goes_when_the_new_run_has_none(tmp_path: Path) -> None:
    """A record that is good now does not stay in quarantine."""
    old, new = _sink(tmp_path, "old"), _sink(tmp_path, "new")
    publish(old, write_units(old, removed=2))
    publish(new, write_units(new, removed=0))
    assert not Layout(tmp_path).quarantine(DATE).exists()


def test_a_staged_part_that_changed_is_refused(tmp_path: Path) -> None:
    """Storage is asked, not memory: one flipped bit in staging, and the old output stands."""
    old, new = _sink(tmp_path, "old"), _sink(tmp_path, "new")
    publish(old, write_units(old))
    parts = write_units(new)
    path = Layout(tmp_path).staging(run_info("new").run_id).features / parts[1].features.name
    content = bytearray(path.read_bytes())
    content[50] ^= 4
    path.write_bytes(content)
    with pytest.raises(CorruptArtifact, match=parts[1].features.name):
        publish(new, parts)
    assert published_run(tmp_path, DATE) == run_info("old").run_id


def test_finished_drops_a_damaged_unit(tmp_path: Path) -> None:
    """The resumed run does that unit again."""
    sink = _sink(tmp_path)
    parts = write_units(sink)
    staging = Layout(tmp_path).staging(run_info("new").run_id)
    (staging.features / parts[0].features.name).write_bytes(b"damaged")
    (staging.unit(parts[1].unit)).write_bytes(b"{")
    assert list(sink.finished()) == [parts[2].unit]


def test_finished_drops_a_unit_whose_quarantine_is_gone(tmp_path: Path) -> None:
    """A unit is its part and its quarantine."""
    sink = _sink(tmp_path)
    parts = write_units(sink, removed=2)
    (Layout(tmp_path).staging(run_info("new").run_id).quarantine / parts[0].features.name).unlink()
    assert list(sink.finished()) == [part.unit for part in parts[1:]]


def test_republishing_repairs_a_damaged_part(tmp_path: Path) -> None:
    """The same run, done again because its published file was damaged, takes the damaged one's place."""
    sink = _sink(tmp_path)
    publish(sink, write_units(sink))
    path = sorted(Layout(tmp_path).features(DATE).iterdir())[0]
    good = path.read_bytes()
    path.write_bytes(good[:40] + bytes([good[40] ^ 1]) + good[41:])
    publish(sink, write_units(sink))
    assert path.read_bytes() == good


def test_already_published_is_recognized(tmp_path: Path) -> None:
    """Only the run that stands, with all of its files and no others, is published."""
    old, new = _sink(tmp_path, "old"), _sink(tmp_path, "new")
    publish(old, write_units(old))
    assert old.is_published()
    assert not new.is_published()
    (Layout(tmp_path).features(DATE) / "another.parquet").write_bytes(b"")
    assert not old.is_published()


def test_a_run_that_lost_its_lease_publishes_nothing(tmp_path: Path) -> None:
    """A holder that slept while another took over is refused at the atomic step, by its number."""
    old, new = _sink(tmp_path, "old"), _sink(tmp_path, "new")
    publish(old, write_units(old))
    parts = write_units(new)
    asleep = Lease.acquire(Layout(tmp_path).leases, "retail", DATE, ttl=3600)
    asleep.release()
    with Lease.acquire(Layout(tmp_path).leases, "retail", DATE), pytest.raises(LeaseHeld, match="number 1; got"):
        new.publish(parts, ledger_of(parts), {}, fence=asleep.fence)
    assert published_run(tmp_path, DATE) == run_info("old").run_id


@pytest.mark.parametrize(
    ("code", "expected", "advice"),
    [
        (errno.ENOSPC, OutputError, "free some space"),
        (errno.EROFS, OutputError, "make the file system writable"),
        (errno.EACCES, PermissionRefused, "grant access"),
    ],
)
def test_refusals_of_the_file_system_leave_the_old_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: type[Exception], advice: str
) -> None:
    """Disk full, read-only and permission denied, met at the atomic step itself."""
    old, new = _sink(tmp_path, "old"), _sink(tmp_path, "new")
    publish(old, write_units(old))
    parts = write_units(new)

    def refuse(staged: Path, target: Path, version: Path) -> None:
        raise OSError(code, os.strerror(code), str(target))

    with monkeypatch.context() as patched:
        patched.setattr("transforms.sinks.commit.put_in_place", refuse)
        with pytest.raises(expected, match=advice):
            publish(new, parts)
    assert published_run(tmp_path, DATE) == run_info("old").run_id
    publish(new, parts)
    assert published_run(tmp_path, DATE) == run_info("new").run_id


def test_another_jobs_result_is_not_replaced(tmp_path: Path) -> None:
    """Two jobs share an output folder by mistake, and both began while nothing stood there: the first one stays."""
    sinks = [ParquetSinkSpec(path=str(tmp_path)).for_run(run_info(job, job=job)).build() for job in ("a", "b")]
    parts = [write_units(sink) for sink in sinks]
    publish(sinks[0], parts[0])
    with pytest.raises(ConfigError, match="was published by job 'a', this is 'b'"):
        publish(sinks[1], parts[1])
    assert published_run(tmp_path, DATE) == run_info("a").run_id


def test_who_publishes_is_alone_whatever_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looking who stands there and taking the place, nobody else of this date can come."""
    sink = _sink(tmp_path)
    parts = write_units(sink)
    monkeypatch.setattr("transforms.sinks.lease._GUARD_SECONDS", 0.1)
    with alone(Layout(tmp_path), DATE), pytest.raises(TemporaryError, match="must be free to change"):
        publish(sink, parts)
    publish(sink, parts)


def test_files_in_two_places_are_brought_together(tmp_path: Path) -> None:
    """A published file was damaged while its run's staging still lay there: one unit is done again, the others are
    had back from where they stand."""
    sink = _sink(tmp_path)
    parts = write_units(sink)
    staging = Layout(tmp_path).staging(run_info("new").run_id)
    shutil.copytree(staging.units, tmp_path / "units")
    publish(sink, parts)
    shutil.copytree(tmp_path / "units", staging.units)  # as after a kill before the sweep
    damaged = Layout(tmp_path).features(DATE) / parts[2].features.name
    damaged.write_bytes(b"damaged")
    assert list(sink.finished()) == [part.unit for part in parts[:2]]
    again = write_unit(sink, parts[2].unit, rows(10, first=20))
    assert again == parts[2]
    publish(sink, list(sink.finished().values()))
    assert sink.is_published()
    assert damaged.stat().st_size == parts[2].features.bytes
    assert not (unlinked_versions(Layout(tmp_path), DATE))


def test_dates_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Publishing one date leaves the other as it was."""
    for date in ("2026-11-22", "2026-11-23"):
        sink = ParquetSinkSpec(path=str(tmp_path)).for_run(run_info("x", date)).build()
        publish(sink, [write_unit(sink, "00000-u", rows(10))])
    assert _names(tmp_path / "features") == ["date=2026-11-22", "date=2026-11-23"]
