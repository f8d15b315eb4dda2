"""Tests of removing staging."""

from __future__ import annotations

from pathlib import Path

from tests.transforms.sinks.samples import rows, run_info, write_unit
from transforms.sinks.base import RunInfo
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSinkSpec
from transforms.sinks.sweep import sweep_abandoned


def _stage(output: Path, run: RunInfo) -> None:
    write_unit(ParquetSinkSpec(path=str(output)).for_run(run).build(), "00000-u", rows(3))


def test_abandoned_runs_of_the_same_job_and_date_go(tmp_path: Path) -> None:
    """Other jobs, other dates, the run itself and the leases stay."""
    mine, stale = run_info("mine"), run_info("stale")
    other_job, other_date = run_info("job", job="finance"), run_info("date", date="2026-11-24")
    for run in (mine, stale, other_job, other_date):
        _stage(tmp_path, run)
    Layout(tmp_path).leases.mkdir()
    assert sweep_abandoned(tmp_path, mine) == [stale.run_id]
    left = {path.name for path in Layout(tmp_path).all_staging.iterdir()}
    assert left == {mine.run_id, other_job.run_id, other_date.run_id, "leases"}


def test_sweeping_nothing_is_no_error(tmp_path: Path) -> None:
    """A fresh output."""
    assert sweep_abandoned(tmp_path, run_info()) == []
