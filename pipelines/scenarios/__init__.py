"""Data sets to try Amalgam with: drawn from a seed, with the truth beside them. One call: `create`."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import OutputError, PermissionRefused, UsageError
from pipelines.scenarios import base
from pipelines.scenarios.layout import partitions
from pipelines.scenarios.writer import FileDone, FileTask, damage_schema, write_file

_WORTH_A_POOL = 2_000  # rows: below, starting processes takes longer than they save


@dataclass(frozen=True)
class Created:
    """What `create` wrote."""

    folder: Path
    job: Path
    """The job file."""
    dates: tuple[str, ...]
    """The nights, first to last, as `--date` takes them."""
    history_rows: int
    nightly_rows: int
    """Over all nights."""
    damaged_rows: int
    files: int
    bytes: int
    """Of the files below `data/`."""

    def __str__(self) -> str:
        nights = f"{self.nightly_rows:,} rows in nights up to {self.dates[-1]}"
        size = f"{self.files} files, {self.bytes / 1e6:,.0f} MB, {self.damaged_rows} damaged records"
        return f"Wrote {self.folder}: {self.history_rows:,} rows of history, {nights} ({size})"


def create(
    folder: Path,
    scenario: str = "retail",
    rows: int = 2_000,
    seed: int = 0,
    nights: int = 3,
    history: int | None = None,
    processes: int | None = None,
    *,
    damaged: bool = True,
) -> Created:
    """Write a data set: job file, README, labelled history, nightly partitions, and the truth about them.

    The same arguments give the same bytes in every file, whatever `processes` is; and all values that are not
    damaged are the same with and without `damaged`.

    Args:
        folder: where to; made when missing, must not hold a data set.
        scenario: one of `base.names()`.
        rows: of each nightly partition.
        seed: 0 or more.
        nights: nightly partitions; the last one is 2026-11-23.
        history: rows of the labelled history; as many as `rows` when None.
        processes: how many to use; as many as there are cores when None.
        damaged: whether 0.3 % of the records are damaged.

    Raises:
        UsageError: there is no such scenario, an argument is out of range, or the folder holds something already.
        OutputError, PermissionRefused: the folder cannot be written.
    """
    history = rows if history is None else history
    drawn = base.find(scenario)
    _check(folder, rows, seed, nights, history, processes)
    parts = partitions(rows, history, nights)
    tasks = [FileTask(folder, scenario, seed, plan, damaged) for part in parts for plan in drawn.layout.files(part)]
    with _as_output_errors(folder):
        done = list(_write_all(tasks, processes or _processes(rows * nights + history)))
        damages = pa.concat_tables([damage_schema(drawn).empty_table(), *(d.damages for d in done)])
        pq.write_table(damages, folder / "truth" / "damage.parquet", write_page_checksum=True)
        _write_text(folder / "truth" / "best.json", json.dumps(drawn.best(), indent=2) + "\n")
        _write_text(folder / "README.md", drawn.readme(parts, seed, damaged))
        _write_text(folder / "job.yaml", drawn.job_yaml(parts))
    return Created(
        folder=folder,
        job=folder / "job.yaml",
        dates=tuple(str(part.day) for part in parts[1:]),
        history_rows=history,
        nightly_rows=rows * nights,
        damaged_rows=damages.num_rows,
        files=len(done),
        bytes=sum(d.bytes for d in done),
    )


def _check(folder: Path, rows: int, seed: int, nights: int, history: int, processes: int | None) -> None:
    least = {"rows": (rows, 1), "seed": (seed, 0), "nights": (nights, 1), "history": (history, 1)}
    for name, (value, minimum) in {**least, "processes": (1 if processes is None else processes, 1)}.items():
        if value < minimum:
            raise UsageError(f"{name} must be {minimum} or more; got {value}")
    if taken := [name for name in ("data", "truth", "job.yaml", "README.md") if (folder / name).exists()]:
        raise UsageError(f"{folder} must be new or empty; it holds {', '.join(taken)}: give another folder")


def _processes(rows: int) -> int:
    return 1 if rows <= _WORTH_A_POOL else len(os.sched_getaffinity(0))


def _write_all(tasks: list[FileTask], processes: int) -> Iterator[FileDone]:
    if processes == 1:
        yield from map(write_file, tasks)
        return
    # Spawned, not forked: a fork would copy the locks of whatever threads Arrow runs at the moment.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=context) as pool:
        yield from pool.map(write_file, tasks)


@contextmanager
def _as_output_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise PermissionRefused(f"{folder} must be writable; got: {error}") from error
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error}") from error


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
