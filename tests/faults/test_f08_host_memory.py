"""F08: an encoder's actor allocates until the machine kills it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.frailty import RAY, frail_night, run
from tests.pipelines.tiny_jobs import records

pytestmark = [pytest.mark.beam, pytest.mark.ray]


def test_smaller_batches_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 40 values: 128 kill twice, 64 and the other 64 once, 32 fit; four deaths, and no row is lost."""
    night = frail_night(tmp_path, records(0, 128), row_group_rows=128)
    night.order(monkeypatch, most=40)

    done = run(night, *RAY)

    assert done.code == 0, done.err
    assert done.result["rows_published"] == 128
    night.assert_sound()
    assert [entry.values for entry in night.entries("began")] == [128, 128, 64, 32, 32, 64, 32, 32]
    assert night.manifest()["worker_restarts"] == 4
