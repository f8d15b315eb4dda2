"""F05: the scheduler's time is up: SIGTERM to the driver."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.retail import finish
from tests.faults.frailty import children, frail_night, run, under_way
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, records

pytestmark = pytest.mark.beam

INLINE = ("workers.address=inline",)
TWO_PROCESSES_AND_RAY = ("workers.address=local", "execution.processes=2")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(INLINE, id="one process"),
        pytest.param(TWO_PROCESSES_AND_RAY, id="two processes and Ray", marks=[pytest.mark.ray, pytest.mark.slow]),
    ],
)
def test_nothing_is_left_and_the_old_rows_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...]
) -> None:
    """Exit 143 within 30 s, stderr closed, no process, no lease; readers saw the old rows all the time; R completes."""
    night = frail_night(tmp_path)
    night.order(monkeypatch)
    assert run(night).code == 0
    night.night.replace_input(records(1000, 1150), records(1150, 1300))
    night.order(monkeypatch, seconds=1.0)

    with watching(night.out, DATE), under_way(night, *settings, "execution.batch_rows=25") as process:
        below = children(process)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        done = finish(process, timeout=60)  # until every process that inherited stderr has let go of it
        seconds = time.monotonic() - began

    assert (done.code, done.out) == (143, "")
    assert seconds < 30
    assert psutil.wait_procs(below, timeout=5)[1] == []
    (lease,) = night.out.glob("staging/leases/*.json")
    assert json.loads(lease.read_bytes())["released"]
    night.order(monkeypatch)
    assert run(night).code == 0
    night.assert_sound()
