"""F02: an encoder's actor is killed again and again."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.e2e.retail import finish
from tests.faults.frailty import RAY, actor_at_work, frail_night, run, under_way, until

pytestmark = [pytest.mark.beam, pytest.mark.ray]

KILLS = 20
BETWEEN = 2  # batches that end between two kills, so that there is progress, and no batch is killed twice
BATCHES = 60.0  # seconds in which BETWEEN batches end after a kill, on a machine that is busy with other tests


@pytest.mark.slow
def test_twenty_kills_cost_twenty_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 0 with every row; manifest and report say how often workers were started again."""
    night = frail_night(tmp_path)
    night.order(monkeypatch, seconds=0.2)

    # 300 rows are 76 batches (a row group of 50 makes 13), and 20 kills take 3 of them each.
    with under_way(night, *RAY, "execution.batch_rows=4") as process:
        for _ in range(KILLS):
            ended = len(night.entries("ended"))
            actor_at_work(process, night).kill()
            until(lambda ended=ended: len(night.entries("ended")) >= ended + BETWEEN, BATCHES)  # type: ignore[misc]
        done = finish(process)

    assert done.code == 0, done.err
    assert done.result["rows_published"] == 300
    night.assert_sound()
    assert night.manifest()["worker_restarts"] == KILLS
    (report,) = night.out.glob("runs/*/report.html")
    assert re.search(rf"Worker restarts\W.*?\b{KILLS}\b", re.sub(r"<[^>]*>", " ", report.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_a_worker_that_never_begins_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that kill their process: exit 75 after max_restarts + 1 starts, no row is blamed; R completes."""
    night = frail_night(tmp_path)
    night.order(monkeypatch, start="dies")

    began = time.monotonic()
    done = run(night, *RAY, "workers.max_restarts=1")

    assert (done.code, done.out) == (75, "")
    assert "worker note must live until it begins a batch; 2 died before" in done.err
    assert time.monotonic() - began < 120  # 20 s when nothing else runs
    assert not list(night.out.glob("features/*/*.parquet"))
    night.order(monkeypatch)
    assert run(night).code == 0
    night.assert_sound()
