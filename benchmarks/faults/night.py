"""A small night with an old version standing, run by the real command in a forked process."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.faults.seams import wrap
from pipelines import cli
from tests.pipelines import tiny_jobs
from tests.pipelines.tiny_jobs import DATE, records
from transforms.sinks.layout import Layout

KEY = "id"
UNITS = 8
UNIT_ROWS = 40
_ROWS = UNITS * UNIT_ROWS
_CUTS = {"processes": 1, "unit_rows": UNIT_ROWS, "batch_rows": 10}
"""Four batches for each unit, so that a kill also comes between batches."""

Identity = tuple[int, int]
"""Inode and time of change of a file: both stay when its folder is renamed, and change when it is written again."""


@dataclass(frozen=True)
class Stage:
    """A job, an output in which yesterday's version of the night stands, and the output of an undisturbed run."""

    folder: Path

    @property
    def job(self) -> Path:
        """The job file."""
        return self.folder / "job.yaml"

    @property
    def inputs(self) -> Path:
        """The night's input files."""
        return self.folder / "data" / f"date={DATE}"

    @property
    def old(self) -> Path:
        """The output before the night."""
        return self.folder / "old"

    @property
    def undisturbed(self) -> Path:
        """The output after a night that nobody killed."""
        return self.folder / "undisturbed"

    def copy_old(self, name: str) -> Path:
        """An output of its own in which the old version stands."""
        out = self.folder / "trials" / name
        shutil.copytree(self.old, out, symlinks=True)
        return out


def prepare(folder: Path, layout: str) -> Stage:
    """Publish the old version, then replace the input; call this in a forked process.

    Args:
        folder: for everything.
        layout: how a date's folder comes to stand, `exchange` or `links`; an output keeps the one it began with.
    """
    if layout == "links":
        wrap("transforms.sinks.storage:System.exchange", lambda _: _not_supported)
    stage = Stage(folder)
    tiny_jobs.write_job(folder, output={"path": "out", "row_group_rows": 16}, execution=_CUTS)
    tiny_jobs.write_night(folder, _with_damage(records(0, _ROWS // 2)), row_group_rows=UNIT_ROWS)
    _must_run(stage, stage.old)
    # Half of the old keys go, and as many new ones come: an old view and a new one differ both ways.
    rows = _with_damage(records(_ROWS // 4, _ROWS // 4 + _ROWS))
    tiny_jobs.write_night(folder, rows.slice(0, _ROWS // 2), rows.slice(_ROWS // 2), row_group_rows=UNIT_ROWS)
    shutil.copytree(stage.old, stage.undisturbed, symlinks=True)
    linked = Layout(stage.old).features(DATE).is_symlink()
    assert linked == (layout == "links"), f"the old version must stand by {layout}"
    return stage


def _not_supported(*_: object) -> None:
    raise OSError(errno.EINVAL, "this file system cannot exchange folders")


def _with_damage(rows: pa.Table) -> pa.Table:
    """The rows, of which in each unit one has no key and one the key of the row before: both go to quarantine."""
    keys = rows[KEY].to_pylist()
    for start in range(0, len(keys), UNIT_ROWS):
        keys[start + 5], keys[start + 11] = None, keys[start + 10]
    return rows.set_column(0, KEY, pa.array(keys, pa.string()))


def run(stage: Stage, out: Path) -> tuple[int, dict[str, Any], str]:
    """`amalgam run` in this process: its exit code, its last line on stdout, and all that it printed."""
    log = out.with_suffix(".log")
    told = os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(told, sys.stdout.fileno())
    os.dup2(told, sys.stderr.fileno())
    code = cli.main(["run", str(stage.job), "--date", DATE, "--set", f"output.path={out}"])
    sys.stdout.flush()
    printed = log.read_text(encoding="utf-8").rstrip("\n")
    return code, json.loads(printed.rpartition("\n")[2]) if code == 0 else {}, printed


def _must_run(stage: Stage, out: Path) -> str:
    code, told, printed = run(stage, out)
    if code:
        raise RuntimeError(f"the night must end with exit code 0; got {code}:\n{printed}")
    return str(told["run_id"])


def run_undisturbed(stage: Stage) -> str:
    """The night as it should be; its run id."""
    return _must_run(stage, stage.undisturbed)


def finished_parts(out: Path, run_id: str) -> dict[str, Identity]:
    """Name -> identity of the part of every finished unit of a run: staged, published, or about to be (`versions/`)."""
    layout = Layout(out)
    staging = layout.staging(run_id)
    units = [path.stem for path in staging.units.glob("*.json")]
    staged = [path for unit in units for path in staging.features.glob(f"part-{unit}-*.parquet")]
    folders = (layout.features(DATE), *out.glob("versions/*/*/features"))
    moved = [path for folder in folders for path in folder.glob(f"part-*-{run_id.removeprefix(f'{DATE}-')}.parquet")]
    return {path.name: identity(path) for path in (*staged, *moved)}


def published_parts(out: Path) -> dict[str, Identity]:
    """Name -> identity of every published part."""
    return {path.name: identity(path) for path in Layout(out).features(DATE).glob("*.parquet")}


def identity(path: Path) -> Identity:
    """What changes when a file is written again."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns


def contents(out: Path) -> dict[str, bytes]:
    """Name -> bytes of every published and quarantined file."""
    layout = Layout(out)
    folders = (layout.features(DATE), layout.quarantine(DATE))
    return {f"{folder.parent.name}/{path.name}": path.read_bytes() for folder in folders for path in folder.iterdir()}


def rows(out: Path) -> pa.Table:
    """The published rows."""
    return pa.concat_tables(pq.ParquetFile(path).read() for path in sorted(Layout(out).features(DATE).iterdir()))
