"""Tiny nights for fault tests: a text and two numbers, encoders without weights, a second each."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from pipelines.config import load_job
from pipelines.execute import Outcome, execute
from pipelines.job import Job
from pipelines.run import prepare, run
from tests.faults.oracle import assert_sound
from tests.pipelines.tiny_jobs import DATE, NIGHT, published, records, write_job, write_night
from transforms.ledger import Ledger

KEY = "id"


@dataclass(frozen=True)
class TinyNight:
    """A job file with one night of input beside it."""

    folder: Path
    job: Path

    @property
    def out(self) -> Path:
        """Where it publishes to, unless a setting says otherwise."""
        # From the text: this process need not know the plug-ins that the job may name.
        return self.folder / str(yaml.safe_load(self.job.read_text(encoding="utf-8"))["output"]["path"])

    @property
    def inputs(self) -> Path:
        """The night's input files."""
        return self.folder / "data" / f"date={DATE}"

    def load(self, *settings: str) -> Job:
        """The job; settings as after `--set`."""
        return load_job(self.job, settings)

    def run(self, *settings: str) -> Outcome:
        """Run the night in this process alone; raises what a user is told."""
        return run(self.load(*settings), NIGHT)

    def stage(self, *settings: str) -> None:
        """Process every unit, as a run does that dies before it publishes."""

        def die(_ledger: Ledger) -> None:
            raise InterruptedError

        with suppress(InterruptedError):
            execute(prepare(self.load(*settings), NIGHT), (), details={}, accept=die)

    def arguments(self, *settings: str, command: str = "run") -> list[str]:
        """The command line, for `tests.e2e.retail.start` and `amalgam`."""
        pairs = [argument for setting in settings for argument in ("--set", setting)]
        return [command, str(self.job), "--date", DATE, *pairs]

    def replace_input(self, *tables: pa.Table, row_group_rows: int = 100) -> None:
        """Other records for the same night: one file per table."""
        for path in self.inputs.glob("*.parquet"):
            path.unlink()
        write_night(self.folder, *tables, row_group_rows=row_group_rows)

    def published(self, out: Path | None = None) -> pa.Table:
        """What readers read, sorted by key."""
        return published(self.load(f"output.path={out or self.out}"))

    def assert_sound(self, out: Path | None = None, **more: Any) -> None:
        """The oracle, for this night; see `tests.faults.oracle.assert_sound`."""
        assert_sound(out or self.out, self.inputs, key=KEY, date=DATE, **more)


def end_process_of_lease(out: Path) -> None:
    """Let the leases below an output be those of processes that have ended.

    A run within this process that could not give its lease back would hold it as long as this process lives.
    """
    for path in out.glob("staging/leases/*.json"):
        record = json.loads(path.read_bytes())
        record["owner"]["started"] = "long ago"
        path.write_text(json.dumps(record))


def heavy_records(start: int, stop: int, size: int) -> pa.Table:
    """Records with a column `blob` of so many random bytes, which no codec makes smaller; keep it in the output."""
    generator = np.random.default_rng(start)
    blobs = [generator.bytes(size) for _ in range(start, stop)]
    return records(start, stop).append_column("blob", pa.array(blobs, pa.binary()))


def make_night(folder: Path, *tables: pa.Table, row_group_rows: int = 100, **changes: Any) -> TinyNight:
    """A tiny night of these records (300 of them in two files if none are given); `changes` are to the job file."""
    night = TinyNight(folder, write_job(folder, **changes))
    write_night(folder, *(tables or (records(0, 150), records(150, 300))), row_group_rows=row_group_rows)
    return night
