"""The smallest job that has all parts: a text and a few numbers, encoders without weights, no other process."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from models.statistics import CategoryStatistics, NumberStatistics, save_statistics
from pipelines import cli
from pipelines.config import load_job
from pipelines.job import Job
from pipelines.recipes import Interval

DATE = "2026-11-23"
NIGHT = Interval.of_day(DATE)
SOURCE: Mapping[str, Any] = {
    "job": "shop",
    "input": {"path": "data/date={date}", "key": "id"},
    "modalities": {
        "note": {"type": "text", "column": "note", "encoder": {"kind": "hashed_ngrams", "dim": 64}},
        "profile": {
            "type": "tabular",
            "numeric": ["age"],
            "categorical": ["segment"],
            "encoder": {"kind": "feature_vector", "dim": 16},
        },
    },
    "fusion": {"kind": "weighted_sum", "dim": 8},
    "output": {"path": "out"},
    "quarantine": {"max_fraction": 1},
    "workers": {"address": "inline"},
    "execution": {"processes": 1},
}


def source(**changes: Any) -> dict[str, Any]:
    """A job file's content; `changes` replace whole top-level keys, and None takes one away."""
    return {k: copy.deepcopy(v) for k, v in {**SOURCE, **changes}.items() if v is not None}


def write_job(folder: Path, **changes: Any) -> Path:
    """The job file in a folder, beside the statistics that its numbers and categories need."""
    folder.mkdir(parents=True, exist_ok=True)
    age = NumberStatistics(count=100, mean=40.0, variance=100.0, quantiles={"0.001": 10.0, "0.999": 90.0})
    segment = CategoryStatistics(count=100, vocabulary=("gold", "silver"))
    save_statistics(folder / "artifacts" / "statistics", {"profile": {"age": age, "segment": segment}}, {})
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(source(**changes)), encoding="utf-8")
    return path


def make_job(folder: Path, *overrides: str, **changes: Any) -> Job:
    """The job, read from its file."""
    return load_job(write_job(folder, **changes), overrides)


def records(start: int, stop: int) -> pa.Table:
    """Customers `c<i>` with a note, an age and a segment each, for start <= i < stop."""
    numbers = range(start, stop)
    return pa.table(
        {
            "id": [f"c{i:04d}" for i in numbers],
            "note": [f"bought {i} red shoes" for i in numbers],
            "age": pa.array([20.0 + i % 50 for i in numbers]),
            "segment": [("gold", "silver", "other")[i % 3] for i in numbers],
        },
        schema=pa.schema(
            [("id", pa.string()), ("note", pa.string()), ("age", pa.float64()), ("segment", pa.string())],
        ),
    )


def write_night(folder: Path, *tables: pa.Table, date: str = DATE, row_group_rows: int = 100) -> Path:
    """A night's input below a job's folder: one file per table."""
    target = folder / "data" / f"date={date}"
    target.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(tables):
        path = target / f"{number:02d}.parquet"
        pq.write_table(table, path, row_group_size=row_group_rows, write_page_checksum=True)
    return target


class Ran(NamedTuple):
    """How `amalgam run` ended."""

    code: int
    ledger: dict[str, Any]
    """The last line on stdout; empty when there is none."""
    error: str
    """What stands on stderr, but for the progress."""


def run_command(capsys: pytest.CaptureFixture[str], job: Path, *arguments: str, command: str = "run") -> Ran:
    """`amalgam run JOB --date D …` in this process."""
    capsys.readouterr()
    code = cli.main([command, str(job), "--date", DATE, *arguments])
    out, err = capsys.readouterr()
    told = [line for line in err.splitlines() if not line.startswith("progress: ")]
    return Ran(code, json.loads(out.splitlines()[-1]) if code == 0 else {}, "\n".join(told))


def published(job: Job, date: str = DATE) -> pa.Table:
    """What readers read, sorted by key."""
    folder = Path(job.output.path) / "features" / f"date={date}"
    parts = [pq.ParquetFile(path).read() for path in sorted(folder.glob("*.parquet"))]
    return pa.concat_tables(parts).sort_by(job.input.key)


def quarantined(job: Job, date: str = DATE) -> list[dict[str, Any]]:
    """The quarantined records of a date, in input order."""
    folder = Path(job.output.path) / "quarantine" / f"date={date}"
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.ParquetFile(path).read().to_pylist()]
