"""Tests of `amalgam plan`: its numbers, what it finds done already, and that it changes nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ConfigError, NoInput, UsageError
from pipelines.cores import cores
from pipelines.job import Job
from pipelines.plan import SAMPLE_ROWS, Plan, plan
from pipelines.run import run
from tests.pipelines.tiny_jobs import NIGHT, make_job, records, write_night


def make_plan(job: Job, seconds: float = 2.0) -> Plan:
    """The plan by a clock on which building takes 1 second and the sample `seconds`."""
    moments = iter([0.0, 1.0, 1.0 + seconds])
    return plan(job, NIGHT, clock=lambda: next(moments))


def everything_below(folder: Path) -> set[Path]:
    """Every file and folder."""
    return set(folder.rglob("*"))


def test_a_new_date_is_to_be_done_in_full(tmp_path: Path) -> None:
    """Rows, bytes and units come from footers; nothing is reused."""
    job = make_job(tmp_path, execution={"unit_rows": 200, "processes": 2})
    write_night(tmp_path, records(0, 300), records(300, 500))

    found = make_plan(job)

    # Row groups of 100: units of 200 and 100 rows from the first file, one of 200 from the second.
    assert [unit.rows for unit in found.work.inputs.units] == [200, 100, 200]
    assert (found.status, found.rows_done, found.rows_to_do) == ("new", 0, 500)
    assert (found.processes, found.workers) == (2, "inline")


def test_time_is_that_of_the_sample_for_every_row(tmp_path: Path) -> None:
    """100 of 500 rows took 2 seconds: 10 seconds in one process, 5 in two."""
    write_night(tmp_path, records(0, 300), records(300, 500))
    execution = {"unit_rows": 200}

    one = make_plan(make_job(tmp_path, execution={**execution, "processes": 1}))
    two = make_plan(make_job(tmp_path, execution={**execution, "processes": 2}))

    assert one.sample is not None
    assert (one.sample.counts.rows_read, one.sample.seconds_to_build, one.sample.seconds) == (100, 1.0, 2.0)
    assert (one.seconds, two.seconds) == (10.0, 5.0)


def test_workers_that_encode_beside_the_process_are_counted(tmp_path: Path) -> None:
    """Of the sample's 2 seconds, 1.8 in an encoder of two workers; one process reads: half as long on two cores."""
    write_night(tmp_path, records(0, 300), records(300, 500))
    found = make_plan(make_job(tmp_path, "workers.address=local", "workers.replicas=2", execution={"processes": 1}))
    assert found.sample is not None

    long = replace(found, sample=replace(found.sample, seconds=2.0, encoding={"note": 1.8, "profile": 0.0}))

    assert long.seconds == pytest.approx(500 / found.sample.counts.rows_read * 2.0 / min(2, cores()))


def test_the_sample_is_small(tmp_path: Path) -> None:
    """However large a row group is."""
    job = make_job(tmp_path)
    write_night(tmp_path, records(0, 1000), row_group_rows=1000)

    found = make_plan(job)

    assert found.sample is not None
    assert found.sample.counts.rows_read == SAMPLE_ROWS


def test_absent_modalities_are_seen_in_the_sample(tmp_path: Path) -> None:
    """Half of the notes are absent: half of the rows are to be encoded."""
    job = make_job(tmp_path)
    table = records(0, 100).to_pydict()
    table["note"] = [note if i % 2 else None for i, note in enumerate(table["note"])]
    write_night(tmp_path, records(0, 0).from_pydict(table))

    text = make_plan(job).text()

    line, *_ = [line for line in text.splitlines() if line.strip().startswith("note")]
    assert line.split() == ["note", "text", "hashed_ngrams", "64", "about", "50", "about", "0", "50.0", "%", "0", "%"]


def test_the_text_says_what_a_run_would_do(tmp_path: Path) -> None:
    """One line for each thing, one for each modality."""
    job = make_job(tmp_path)
    write_night(tmp_path, records(0, 100))

    found = make_plan(job)

    lines = {line.split("  ")[0].strip(): line for line in found.text().splitlines() if line.strip()}
    assert f"{found.work.info.run_id} (new)" in lines["run"]
    assert "100 in 1 unit" in lines["rows"]
    assert "100 rows" in lines["to do"]
    assert "about 2.0 s" in lines["expected time"]
    assert {"input", "reused", "workers", "expected memory", "note", "profile"} <= set(lines)


def test_nothing_is_changed(tmp_path: Path) -> None:
    """Neither a staging folder nor a lease is left behind."""
    job = make_job(tmp_path)
    write_night(tmp_path, records(0, 10))
    before = everything_below(tmp_path)

    make_plan(job)

    assert everything_below(tmp_path) - before <= {tmp_path / "out"}


def test_a_date_without_rows_has_no_sample(tmp_path: Path) -> None:
    """There is nothing to measure, and nothing to do."""
    job = make_job(tmp_path)
    write_night(tmp_path, records(0, 0))

    found = plan(job, NIGHT)

    assert (found.sample, found.seconds, found.rows_to_do) == (None, 0.0, 0)
    assert "0 in 0 units" in found.text()


def test_what_would_stop_a_run_stops_the_plan(tmp_path: Path) -> None:
    """No input, missing statistics, and options that Beam does not know."""
    job = make_job(tmp_path)
    with pytest.raises(NoInput):
        plan(job, NIGHT)

    write_night(tmp_path, records(0, 10))
    with pytest.raises(UsageError, match="no_such_option"):
        plan(job, NIGHT, ["--no_such_option=1"])

    shutil.rmtree(job.artifacts)
    with pytest.raises(ConfigError, match="amalgam fit"):
        plan(job, NIGHT)


@pytest.mark.beam
def test_a_published_date_is_told(tmp_path: Path) -> None:
    """The same input and settings: nothing to do."""
    job = make_job(tmp_path)
    write_night(tmp_path, records(0, 10))
    run(job, NIGHT)

    found = plan(job, NIGHT)

    assert (found.status, found.rows_to_do, found.seconds) == ("already published", 0, 0.0)
    assert "(already published)" in found.text()


@pytest.mark.beam
def test_finished_units_are_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that stopped before it published has left its units: only the lost one is to be done again."""
    job = make_job(tmp_path, execution={"unit_rows": 100, "processes": 1})
    write_night(tmp_path, records(0, 300))
    stop_before_publishing(job, monkeypatch)
    (next(iter(sorted((tmp_path / "out" / "staging").glob("*/units/*.json"))))).unlink()

    found = make_plan(job)

    assert (found.status, found.rows_done, found.rows_to_do) == ("resumes", 200, 100)
    assert found.seconds == pytest.approx(2.0)  # the sample of 100 rows took 2 seconds, and 100 rows are left


def stop_before_publishing(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose driver goes away when all units are done."""

    def go_away(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("transforms.sinks.parquet.ParquetSink.publish", go_away)
        with pytest.raises(KeyboardInterrupt):
            run(job, NIGHT)


def test_values_that_are_known_are_told(tmp_path: Path) -> None:
    """Of 100 notes 60 were encoded by the last run; a plan leaves no trace among them."""
    job = make_job(tmp_path)
    write_night(tmp_path, records(0, 60))
    run(job, NIGHT)
    write_night(tmp_path, records(0, 100))
    known = everything_below(tmp_path / "out" / "recall")

    found = make_plan(job)

    assert found.sample is not None
    assert (found.sample.counts.recalled["note"], found.sample.counts.encoded["note"]) == (60, 40)
    line, *_ = [line for line in found.text().splitlines() if line.strip().startswith("note")]
    assert line.split()[4:8] == ["about", "40", "about", "60"]
    assert everything_below(tmp_path / "out" / "recall") == known != set()
