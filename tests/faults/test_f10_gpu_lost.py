"""F10: no GPU although one is configured, and a GPU that vanishes in the middle of a run (as torch tells it)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from models.errors import ConfigError
from tests.faults.frailty import RAY, frail_night, run
from transforms.workers.base import WorkersSpec

pytestmark = [pytest.mark.beam, pytest.mark.ray]


def test_gpus_that_are_not_there_are_told_within_10_s() -> None:
    """Before anything is loaded: what was asked for, and what there is."""
    began = time.monotonic()

    with pytest.raises(ConfigError, match=r"workers\.gpus: must be at most the \d+ that Ray has; got 64"):
        WorkersSpec(gpus=64).start().__enter__()

    assert time.monotonic() - began < 10


def test_gpus_that_are_not_there_stop_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 78, nothing begun, nothing published."""
    night = frail_night(tmp_path)
    night.order(monkeypatch)

    done = run(night, *RAY, "workers.gpus=64")

    assert (done.code, done.out) == (78, "")
    assert "workers.gpus: must be at most" in done.err
    assert night.entries() == []
    assert not list(night.out.glob("features/*/*.parquet"))


def test_an_actor_whose_device_fails_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One CUDA error: a new process, the batch once more, exit 0 with every row."""
    night = frail_night(tmp_path)
    failing = tmp_path / "failing"
    failing.touch()
    night.order(monkeypatch, device=str(failing))

    done = run(night, *RAY)

    assert done.code == 0, done.err
    assert done.result["rows_published"] == 300
    night.assert_sound()
    assert len({entry.pid for entry in night.entries()}) == 2
    assert night.manifest()["worker_restarts"] == 1


def test_a_device_that_is_gone_for_good_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its successors find none: exit 75 with torch's words, nothing published; once it is back, R completes."""
    night = frail_night(tmp_path)
    vanished = tmp_path / "vanished"
    vanished.touch()
    night.order(monkeypatch, vanished=str(vanished))

    done = run(night, *RAY, "workers.max_restarts=1")

    assert (done.code, done.out) == (75, "")
    assert "No CUDA GPUs are available" in done.err
    vanished.unlink()
    assert run(night).code == 0
    night.assert_sound()
