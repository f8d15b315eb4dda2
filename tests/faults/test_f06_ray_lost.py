"""F06: Ray's raylet or its head is killed in the middle of a run."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.retail import finish
from tests.faults.frailty import RAY, children, frail_night, named, run, under_way

pytestmark = [pytest.mark.beam, pytest.mark.ray, pytest.mark.slow]

LIMIT = 60.0


@pytest.mark.parametrize("victim", ["raylet/raylet", "gcs/gcs_server"])
@pytest.mark.parametrize("processes", [1, 2])
def test_the_run_ends_in_time_and_the_next_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str, processes: int
) -> None:
    """Exit 75 within 60 s with one sentence, and no process is left; the same command then publishes."""
    night = frail_night(tmp_path)
    night.order(monkeypatch, seconds=2.0)

    settings = (*RAY, f"execution.processes={processes}", "execution.batch_rows=5", "execution.unit_rows=150")
    with under_way(night, *settings) as process:
        below = children(process)
        (found,) = named(process, victim)
        found.kill()
        began = time.monotonic()
        done = finish(process, timeout=2 * LIMIT)
        seconds = time.monotonic() - began

    assert done.code == 75, done.err
    assert seconds < LIMIT
    assert "amalgam: " in done.err
    assert "Ray" in done.err
    assert psutil.wait_procs(below, timeout=5)[1] == []
    night.order(monkeypatch)
    assert run(night).code == 0
    night.assert_sound()
