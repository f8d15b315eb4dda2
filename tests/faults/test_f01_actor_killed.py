"""F01: kill -9 of an encoder's actor in the middle of a batch."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest

from tests.e2e.retail import finish
from tests.faults.frailty import RAY, actor_at_work, frail_night, run, under_way

pytestmark = [pytest.mark.beam, pytest.mark.ray, pytest.mark.slow]

BATCH_SECONDS = 1.0
START_SECONDS = 60.0  # of an actor that imports torch: 3 s when nothing else runs, 20 s beside other tests
SETTINGS = ("execution.batch_rows=100",)


def test_the_batch_is_run_again_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 0, rows as of an undisturbed night; the batch is at work again within a start, a batch and 10 s."""
    others = undisturbed(tmp_path / "undisturbed", monkeypatch)
    night = frail_night(tmp_path / "killed")
    night.order(monkeypatch, seconds=BATCH_SECONDS)

    with under_way(night, *RAY, *SETTINGS) as process:
        actor = actor_at_work(process, night)
        killed = time.time()
        actor.kill()
        done = finish(process)

    assert done.code == 0, done.err
    night.assert_sound(undisturbed=others)
    again = next(entry for entry in night.entries("began") if entry.pid != actor.pid)
    assert again.time - killed < START_SECONDS + BATCH_SECONDS + 10
    assert again.values == 100  # as it was: one death is no reason to halve
    assert night.manifest()["worker_restarts"] == 1


def undisturbed(folder: Path, patch: pytest.MonkeyPatch) -> pa.Table:
    """What the night publishes when nothing happens."""
    night = frail_night(folder)
    night.order(patch)
    assert run(night, *SETTINGS).code == 0
    return night.rows()
