"""F07: an actor is stopped (SIGSTOP) and never answers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.retail import finish
from tests.faults.frailty import RAY, actor_at_work, frail_night, under_way

pytestmark = [pytest.mark.beam, pytest.mark.ray, pytest.mark.slow]

DEADLINE = 3.0
ANSWER_SECONDS = 5.0  # how long the actor is waited for when it is asked what it is at
START_SECONDS = 60.0  # of an actor that imports torch: 3 s when nothing else runs, 20 s beside other tests


def test_a_stopped_actor_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 0 with every row; the batch is at work again after the deadline, one question and a start."""
    night = frail_night(tmp_path)
    night.order(monkeypatch, seconds=1.0)

    with under_way(night, *RAY, f"workers.deadline={DEADLINE}", "execution.batch_rows=100") as process:
        actor = actor_at_work(process, night)
        actor.suspend()
        stopped = time.time()
        done = finish(process)

    assert done.code == 0, done.err
    assert done.result["rows_published"] == 300
    night.assert_sound()
    again = next(entry for entry in night.entries("began") if entry.pid != actor.pid)
    assert again.time - stopped < DEADLINE + ANSWER_SECONDS + START_SECONDS
    assert night.manifest()["worker_restarts"] == 1
    assert not actor.is_running()
