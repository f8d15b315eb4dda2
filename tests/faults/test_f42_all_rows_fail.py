"""F42: everything bad: 100 % of the rows fail."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from tests.faults.nights import TinyNight
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, records, run_command

pytestmark = pytest.mark.beam

ROWS = 300


def without_anything(rows: int) -> pa.Table:
    """Records of which no modality can be used: blank notes, no numbers, no segment."""
    return pa.table(
        {
            "id": [f"c{i:04d}" for i in range(rows)],
            "note": ["  "] * rows,
            "age": pa.nulls(rows, pa.float64()),
            "segment": pa.nulls(rows, pa.string()),
        }
    )


def without_keys(rows: int) -> pa.Table:
    """Good records without a key."""
    return records(0, rows).set_column(0, "id", pa.nulls(rows, pa.string()))


@pytest.mark.parametrize("limit", ["0.01", "1"])
@pytest.mark.parametrize(
    ("useless", "reason"),
    [(without_anything, "row.no_modality"), (without_keys, "key.missing")],
    ids=["values", "keys"],
)
def test_nothing_is_published(
    tiny_night: TinyNight,
    capsys: pytest.CaptureFixture[str],
    useless: Callable[[int], pa.Table],
    reason: str,
    limit: str,
) -> None:
    """Exit 65 with the counts by reason, however much quarantine is allowed; the old result stands all the while."""
    tiny_night.run()
    tiny_night.replace_input(useless(ROWS))

    with watching(tiny_night.out, DATE) as watcher:
        ran = run_command(capsys, tiny_night.job, "--set", f"quarantine.max_fraction={limit}")

    assert ran.code == 65
    assert f"{ROWS}: {reason} {ROWS}" in ran.error
    assert [view.rows for view in watcher.seen] == [ROWS]
    assert manifests(tiny_night) == 1  # of the old result; the refused run has left no record that it stood


def test_the_next_delivery_is_published(tiny_night: TinyNight, capsys: pytest.CaptureFixture[str]) -> None:
    """When the night's input was repaired, the same command publishes it, and nothing is left of the refused run."""
    tiny_night.replace_input(without_anything(ROWS))
    assert run_command(capsys, tiny_night.job).code == 65
    tiny_night.replace_input(records(0, 200))

    assert run_command(capsys, tiny_night.job).code == 0

    tiny_night.assert_sound()


def manifests(night: TinyNight) -> int:
    """How many runs are on record."""
    return len(list((night.out / "runs").glob("*/manifest.json")))
