"""F11: a worker process of an EXTERNAL pool is killed in the middle of its bundle."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.e2e.retail import finish
from tests.faults.frailty import frail_night, run, under_way, until
from tests.runners.portable import portable_service

pytestmark = [pytest.mark.beam, pytest.mark.slow]  # half a minute in which the runner could see to it by itself

UNITS = ("execution.unit_rows=50", "execution.batch_rows=25")


def test_the_bundle_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beam's job service would wait for ever; exit 0, no row twice, and what was done before is not done again."""
    undisturbed = frail_night(tmp_path / "undisturbed")
    undisturbed.order(monkeypatch)
    assert run(undisturbed).code == 0
    night = frail_night(tmp_path / "killed")
    night.order(monkeypatch, seconds=0.5)

    with portable_service(tmp_path) as beam, under_way(night, *UNITS, beam=tuple(beam)) as process:
        until(lambda: len(night.entries("began")) > 4, 60)  # two units are done, a third is begun
        worker = psutil.Process(night.entries()[-1].pid)
        assert "SdkHarness" in " ".join(worker.cmdline())
        worker.kill()
        done = finish(process)

    assert done.code == 0, done.err
    night.assert_sound(undisturbed=undisturbed.rows())
    assert len({entry.pid for entry in night.entries()}) == 2
    assert len(night.entries("began")) <= 12 + 2  # 300 rows in batches of 25, and one unit of two batches again
    assert night.manifest()["worker_restarts"] == 1
