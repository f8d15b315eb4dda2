"""Nights whose encoder is frail (see `plugins/`), the commands that run them, and their actors to be killed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow as pa
import pytest

from tests.e2e.retail import Done, finish, start
from tests.faults.nights import KEY, TinyNight, make_night
from tests.faults.treachery import PLUGINS
from tests.pipelines.tiny_jobs import DATE, SOURCE
from transforms.sinks.reader import read_published

RAY = ("workers.address=local",)
START_SECONDS = 120.0  # for a command to reach its first batch, on a machine that is busy with other tests
AT_WORK = "ray::OpActor.call"
"""The title that Ray gives an actor's process while it is at a batch."""


class Entry(NamedTuple):
    """What the encoder notes of a batch."""

    what: str
    """`began` or `ended`."""
    values: int
    pid: int
    time: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class FrailNight:
    """A tiny night with the frail encoder."""

    night: TinyNight
    log: Path

    def entries(self, what: str = "") -> list[Entry]:
        """The encoder's notes so far, in order."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        words = [line.split() for line in lines]
        found = [Entry(kind, int(values), int(pid), float(time)) for kind, values, pid, time in words]
        return [entry for entry in found if not what or entry.what == what]

    def order(self, patch: pytest.MonkeyPatch, **orders: Any) -> None:
        """What encoders of this night do that are built from now on; see `plugins/models/encoders/frail.py`."""
        patch.setenv("PYTHONPATH", str(PLUGINS))
        patch.setenv("FRAIL", json.dumps({"log": str(self.log), **orders}))

    @property
    def out(self) -> Path:
        """Where it publishes to. (Its job file is not loaded in this process, which does not know the encoder.)"""
        return self.night.folder / "out"

    def rows(self) -> pa.Table:
        """The published rows, by key."""
        return read_published(self.out, DATE).sort_by(KEY)

    def assert_sound(self, **more: Any) -> None:
        """The oracle; see `tests.faults.oracle.assert_sound`."""
        self.night.assert_sound(self.out, **more)

    def manifest(self) -> dict[str, Any]:
        """Details that the manifest of the only run holds."""
        (path,) = self.out.glob("runs/*/manifest.json")
        details: dict[str, Any] = json.loads(path.read_bytes())["details"]
        return details


def frail_night(folder: Path, *tables: pa.Table, row_group_rows: int = 100) -> FrailNight:
    """A tiny night whose notes are encoded by the frail encoder."""
    note = {"type": "text", "column": "note", "encoder": {"kind": "frail"}}
    night = make_night(
        folder, *tables, row_group_rows=row_group_rows, modalities={**SOURCE["modalities"], "note": note}
    )
    return FrailNight(night, folder / "batches")


@contextmanager
def under_way(night: FrailNight, *settings: str, beam: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """`amalgam run`, once its first batch has begun; whatever it leaves behind is killed."""
    before = len(night.entries())
    options = ["--", *beam] if beam else []
    process = start([*night.night.arguments(*settings), *options])
    try:
        until(lambda: len(night.entries()) > before or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, finish(process).err
        yield process
    finally:
        for child in children(process):
            child.kill()
        process.kill()
        process.wait()


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes below a command."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def named(process: subprocess.Popen[str], name: str) -> list[psutil.Process]:
    """Processes below a command whose command line, or Ray's title in its place, has this in it."""
    return [child for child in children(process) if name in _title(child)]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # ended meanwhile
        return ""


def actor_at_work(process: subprocess.Popen[str], night: FrailNight) -> psutil.Process:
    """The actor that is at a batch of notes now; waits for one."""
    found: list[psutil.Process] = []

    def look() -> bool:
        open_batches = {entry.pid for entry in night.entries("began")}
        found[:] = [actor for actor in named(process, AT_WORK) if actor.pid in open_batches]
        return bool(found)

    until(look, START_SECONDS)
    return found[0]


def run(night: FrailNight, *settings: str, timeout: float = 300) -> Done:
    """`amalgam run`, in a process of its own, to its end."""
    return finish(start(night.night.arguments(*settings)), timeout=timeout)


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Poll until it holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
