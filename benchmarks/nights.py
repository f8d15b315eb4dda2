"""Runs a night with the real command, as a user does, and tells what it took: wall time, cores, manifest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AMALGAM = (sys.executable, "-m", "pipelines")
REMEMBERED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What a benchmark's own process may be told, and its children should find out for themselves."""


@dataclass(frozen=True)
class Took:
    """What a command took."""

    seconds: float
    """From its start to its end."""
    core_seconds: float
    """Of the command and all that it started and waited for."""


@dataclass(frozen=True)
class Run:
    """A night that was published."""

    rows: int
    took: Took
    manifest: Mapping[str, Any]

    def count(self, counter: str, modality: str) -> int:
        """One of the ledger's counters for a modality; 0 where it says nothing."""
        return int(self.manifest["ledger"]["total"].get(counter, {}).get(modality, 0))

    @property
    def stages(self) -> Mapping[str, float]:
        """Stage -> seconds spent in it, added over processes."""
        return dict(self.manifest["ledger"]["total"]["seconds"])


@dataclass(frozen=True)
class Pace:
    """Two nights of one job that differ in their rows: what a row takes, and what does not hang on rows."""

    short: Run
    long: Run

    @property
    def row_seconds(self) -> float:
        """Wall seconds that each further row takes."""
        return (self.long.took.seconds - self.short.took.seconds) / self._rows

    @property
    def row_core_seconds(self) -> float:
        """Seconds of one core that each further row takes."""
        return (self.long.took.core_seconds - self.short.took.core_seconds) / self._rows

    @property
    def start_up(self) -> float:
        """Seconds of the long night that its rows do not explain: start, planning, publishing."""
        return self.long.took.seconds - self.long.rows * self.row_seconds

    @property
    def _rows(self) -> int:
        return self.long.rows - self.short.rows


def timed(command: Sequence[str], **environment: str) -> Took:
    """Run a command to its end, with its output thrown away.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    began = time.perf_counter()
    clean = {name: value for name, value in os.environ.items() if name not in REMEMBERED}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**clean, **environment}
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} must succeed; it ended with {process.returncode}:\n{said[-4000:]}")
    return Took(seconds, usage.ru_utime + usage.ru_stime)


def command(name: str, job: Path, settings: Sequence[str] = (), date: str = "") -> list[str]:
    """A command line of Amalgam; relative paths in settings start at the job file's folder."""
    pairs = [argument for setting in settings for argument in ("--set", setting)]
    return [*AMALGAM, name, str(job), *(["--date", date] if date else []), *pairs]


def run(job: Path, date: str, output: Path, settings: Sequence[str] = ()) -> Run:
    """Run a night into an output folder."""
    took = timed(command("run", job, [f"output.path={output}", *settings], date))
    manifest = newest(output)
    return Run(int(manifest["ledger"]["total"]["rows_read"]), took, manifest)


def newest(output: Path) -> Mapping[str, Any]:
    """The manifest that was written last."""
    path = max((output / "runs").glob("*/manifest.json"), key=lambda found: found.stat().st_mtime_ns)
    manifest: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest
