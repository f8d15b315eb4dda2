"""A small retail shop, fitted and trained once, and what tests ask of it: run a night, read what was published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from models.schema import ISSUES
from pipelines.config import load_job
from pipelines.execute import Outcome
from pipelines.fit import fit
from pipelines.job import Job
from pipelines.recipes import Interval
from pipelines.run import run
from pipelines.scenarios import create
from pipelines.train import train
from transforms.sinks.layout import Layout

DATE = "2026-11-23"
NIGHT = Interval.of_day(DATE)
KEY = "customer_id"
MODALITIES = ("photo", "review", "call", "profile", "visits")
PROGRAM = Path(sys.executable).with_name("amalgam")
MARK = "AMALGAM_TEST_PROCESSES"  # environment variable by which all processes of one command are found
IN_PROCESS = ("workers.address=inline", "execution.processes=1")
"""Settings without any other process: no Ray, and Beam's runner in memory."""


@dataclass(frozen=True)
class Shop:
    """A retail data set with its job file."""

    folder: Path
    job: Path

    def load(self, out: Path, *settings: str) -> Job:
        """The job with its output in `out`; settings as after `--set`."""
        return load_job(self.job, [f"output.path={out}", *settings])

    def run(self, out: Path, *settings: str) -> Outcome:
        """Run the night from within this process; in this process alone unless settings say otherwise."""
        return run(self.load(out, *IN_PROCESS, *settings), NIGHT)

    def arguments(self, command: str, out: Path, *settings: str) -> list[str]:
        """The command line for the night with its output in `out`."""
        pairs = [argument for setting in (f"output.path={out}", *settings) for argument in ("--set", setting)]
        return [command, str(self.job), "--date", DATE, *pairs]


def weight_free(job: Path) -> Path:
    """Rewrite a job file so that its encoders need no weights and its heads learn from labels: trained in seconds."""
    source = yaml.safe_load(job.read_text(encoding="utf-8"))
    modalities = {name: _without(modality, "encoder") for name, modality in source["modalities"].items()}
    heads = {name: head for name, head in source["heads"].items() if "label" in head}
    text = yaml.safe_dump({**source, "modalities": modalities, "heads": heads}, sort_keys=False)
    job.write_text(text, encoding="utf-8")
    return job


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def make_shop(folder: Path, rows: int, history: int) -> Shop:
    """A shop with one night, drawn from seed 0, fitted and trained; nothing in it learns for long."""
    shop = Shop(folder, weight_free(create(folder, rows=rows, history=history, nights=1).job))
    job = load_job(shop.job, IN_PROCESS)
    fit(job)
    train(job)
    return shop


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object that is the last line on stdout of `run`."""
        parsed: dict[str, Any] = json.loads(self.out.rstrip("\n").rpartition("\n")[2])
        return parsed


def start(arguments: Sequence[str], mark: str = "") -> subprocess.Popen[str]:
    """Start `amalgam` with these arguments; `mark` finds its processes again, also when they are orphans."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", MARK: mark}
    pipe = subprocess.PIPE
    return subprocess.Popen([PROGRAM, *arguments], env=environment, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str], timeout: float = 300) -> Done:
    """Wait for a started command, at most `timeout` seconds."""
    out, err = process.communicate(timeout=timeout)
    return Done(process.returncode, out, err)


def amalgam(*arguments: str) -> Done:
    """Run `amalgam` to its end."""
    return finish(start(arguments))


def marked(mark: str) -> list[psutil.Process]:
    """The living processes that inherited this mark, whoever their parent is by now."""
    return [process for process in psutil.process_iter() if _environment(process).get(MARK) == mark]


def _environment(process: psutil.Process) -> Mapping[str, str]:
    try:
        return process.environ() if process.status() != psutil.STATUS_ZOMBIE else {}
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # ended meanwhile, or not ours to look at
        return {}


def parts(out: Path, kind: str = "features") -> list[Path]:
    """The night's published files of a kind (`features`, `quarantine`), in the order of the input."""
    folder = Layout(out).features(DATE) if kind == "features" else Layout(out).quarantine(DATE)
    return sorted(folder.glob("*.parquet"))


def read(out: Path, kind: str = "features") -> pa.Table:
    """The night's rows of a kind, in the order of the input."""
    return pa.concat_tables([pq.ParquetFile(path).read() for path in parts(out, kind)])


def by_key(table: pa.Table) -> pa.Table:
    """The rows sorted by key."""
    return table.sort_by(KEY)


def bits(column: pa.ChunkedArray) -> Iterator[bytes]:
    """What a column holds, bit by bit, independent of chunks and offsets: lengths of lists, then their values."""
    array = column.combine_chunks()
    if pa.types.is_list(array.type):
        yield array.value_lengths().to_numpy(zero_copy_only=False).tobytes()
        yield from bits(pa.chunked_array([array.flatten()]))
    elif pa.types.is_floating(array.type):
        yield array.to_numpy(zero_copy_only=False).tobytes()
    else:
        yield repr(array.to_pylist()).encode()


def unequal_bits(one: pa.Table, other: pa.Table) -> list[str]:
    """Names of the columns in which two tables, of the same rows in the same order, are not equal bit by bit."""
    assert one.schema.equals(other.schema)
    assert one.num_rows == other.num_rows
    return [name for name in one.column_names if list(bits(one[name])) != list(bits(other[name]))]


def largest_difference(one: pa.Table, other: pa.Table) -> float:
    """The largest absolute difference between two tables' floats; everything else must be equal."""
    differences = [0.0]
    for name in one.column_names:
        mine, theirs = _floats(one[name]), _floats(other[name])
        if mine is None or theirs is None:
            assert one[name].equals(other[name]), name
        else:
            differences.append(float(np.abs(mine - theirs).max(initial=0.0)))
    return max(differences)


def _floats(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    array = column.combine_chunks()
    if pa.types.is_list(array.type):
        array = array.flatten()
    return array.to_numpy(zero_copy_only=False).astype(np.float64) if pa.types.is_floating(array.type) else None


def issues(table: pa.Table) -> dict[str, list[str]]:
    """Key -> issue codes, of the rows that have any."""
    pairs = zip(table[KEY].to_pylist(), table[ISSUES].to_pylist(), strict=True)
    return {key: codes for key, codes in pairs if codes}


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every file below a folder with its inode, size and time of change: equal states mean that nothing was written."""
    found = {path: path.stat() for path in sorted(folder.rglob("*"))}
    return {str(path): (stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}
