"""Whole nights on a file system that cannot exchange folders: run, rerun, replace, verify, redrive."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import cli
from pipelines.config import load_job
from tests.pipelines.test_redrive import night, reasons, write_strict_job
from tests.pipelines.tiny_jobs import DATE, published, records, run_command, write_job, write_night
from tests.transforms.sinks.systems import WithoutExchange
from transforms.sinks import storage
from transforms.sinks.layout import Layout

pytestmark = pytest.mark.beam
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    monkeypatch.setattr("pipelines.logs.configure", lambda: None)  # pytest's own handlers stay where they are


def _versions(out: Path) -> list[str]:
    return [path.name for path in sorted(Layout(out).versions(DATE).iterdir())]


def test_nights_replace_each_other(tmp_path: Path, capsys: Capture) -> None:
    """Published, published already, replaced by other input; verified each time, and one version is left."""
    job, out = write_job(tmp_path), tmp_path / "out"
    for rows, status in ((120, "published"), (120, "already published"), (90, "published")):
        if status == "published":
            write_night(tmp_path, records(0, rows))
        ran = run_command(capsys, job)
        assert (ran.code, ran.ledger["status"], ran.ledger["rows_published"]) == (0, status, rows)
        assert [cli.main([command, str(job), "--date", DATE]) for command in ("plan", "verify")] == [0, 0]
        assert Layout(out).features(DATE).is_symlink()
        assert _versions(out) == [ran.ledger["run_id"]]
        assert published(load_job(job)).num_rows == rows


def test_redriven_records_are_published_with_the_rest(tmp_path: Path, capsys: Capture) -> None:
    """The rows that stood are copied from the version that stands; what still fails stays in quarantine."""
    job = write_strict_job(tmp_path, 30)
    write_night(tmp_path, night())
    assert run_command(capsys, job).code == 0
    write_strict_job(tmp_path, 1000)
    ran = run_command(capsys, job, command="redrive")
    assert (ran.code, ran.ledger["rows_published"], reasons(job)) == (0, 10, ["key.duplicate", "key.missing"])
    assert Layout(tmp_path / "out").quarantine(DATE).is_symlink()
    assert _versions(tmp_path / "out") == [ran.ledger["run_id"]]


def test_a_damaged_file_is_made_anew_after_it_was_removed(tmp_path: Path, capsys: Capture) -> None:
    """As docs/operations.md says; the same run once more, in a version of its own."""
    job = write_job(tmp_path)
    write_night(tmp_path, records(0, 120))
    assert run_command(capsys, job).code == 0
    before = published(load_job(job))
    path = next(Layout(tmp_path / "out").features(DATE).iterdir())
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert cli.main(["verify", str(job), "--date", DATE]) == 65
    path.unlink()
    assert run_command(capsys, job).ledger["status"] == "published"
    assert cli.main(["verify", str(job), "--date", DATE]) == 0
    assert published(load_job(job)).equals(before)
    assert len(_versions(tmp_path / "out")) == 1
