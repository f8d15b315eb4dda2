"""A job server whose worker died is not waited for: not for ever, and not while it sees to that itself."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from models.errors import WorkerCrashed
from pipelines import bereaved
from pipelines.bereaved import RETRY_SECONDS, Bereavement, wait
from transforms.diary import Entry
from transforms.sinks.owner import Owner


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Job:
    """A pipeline on a job server; ends when told to."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.cancelled = False

    def wait_until_finish(self) -> str:
        self.end.wait()
        return "DONE"

    def cancel(self) -> None:
        self.cancelled = True


def dead() -> Owner:
    """A process of this machine that has ended."""
    me = Owner.this_process()
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return Owner(me.host, me.boot, process.pid, "1")


def write(diary: Path, unit: str, owner: Owner) -> None:
    """The page of a unit that this process is at."""
    diary.mkdir(exist_ok=True)
    (diary / f"{unit}.json").write_text(json.dumps(asdict(Entry(owner, 0, 9, 0))), encoding="utf-8")


def test_a_unit_that_nobody_takes_up_again(tmp_path: Path) -> None:
    """Half a minute after its process was first seen dead, and not before."""
    clock = Clock()
    bereavement = Bereavement(tmp_path, clock)
    owner = dead()
    write(tmp_path, "unit", owner)

    bereavement.check()
    clock.now = RETRY_SECONDS
    bereavement.check()
    clock.now = RETRY_SECONDS + 1
    with pytest.raises(WorkerCrashed, match=f"got the death of {owner} at unit"):
        bereavement.check()


def test_a_unit_that_another_process_takes_up(tmp_path: Path) -> None:
    """The runner has seen to it: its page has another owner."""
    clock = Clock()
    bereavement = Bereavement(tmp_path, clock)
    write(tmp_path, "unit", dead())
    bereavement.check()

    write(tmp_path, "unit", Owner.this_process())
    clock.now = 10 * RETRY_SECONDS

    bereavement.check()


def test_pages_of_an_earlier_attempt_do_not_count(tmp_path: Path) -> None:
    """They stood there before the job was waited for."""
    clock = Clock()
    write(tmp_path, "unit", dead())
    bereavement = Bereavement(tmp_path, clock)

    bereavement.check()
    clock.now = 10 * RETRY_SECONDS

    bereavement.check()


def test_a_job_is_cancelled_when_its_worker_is_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting ends with the error of a dead worker."""
    monkeypatch.setattr(bereaved, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(bereaved, "POLL_SECONDS", 0.05)
    job = Job()
    threading.Timer(0.2, write, (tmp_path, "unit", dead())).start()

    with pytest.raises(WorkerCrashed):
        wait(job, str(tmp_path))

    assert job.cancelled


def test_a_job_that_ends_gives_its_state(tmp_path: Path) -> None:
    """As the runner tells it; there need be no diary."""
    job = Job()
    threading.Timer(0.2, job.end.set).start()

    assert wait(job, str(tmp_path / "none")) == "DONE"
    assert not job.cancelled


def test_what_waiting_raises_arrives(tmp_path: Path) -> None:
    """A job that fails, fails the run."""

    class Failing(Job):
        def wait_until_finish(self) -> str:
            raise RuntimeError("Pipeline failed.")

    with pytest.raises(RuntimeError, match="Pipeline failed"):
        wait(Failing(), str(tmp_path))
