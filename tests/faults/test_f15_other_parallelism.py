"""F15: a rerun with other units, processes or files."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.faults.nights import TinyNight
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, records

pytestmark = pytest.mark.beam

ROWS = 300


def parts(night: TinyNight) -> int:
    """How many parts stand."""
    return len(list((night.out / "features" / f"date={DATE}").iterdir()))


@pytest.mark.parametrize(
    ("settings", "files"),
    [
        (("execution.unit_rows=25",), 12),  # 300 / 25
        (("execution.unit_rows=1000",), 2),  # never more than a file
        (("execution.unit_rows=40", "execution.processes=2"), 10),  # row groups of 100 and 50 rows: 3 + 2, twice
        (("output.row_group_rows=7",), 2),
    ],
    ids=["small units", "large units", "two processes", "other row groups"],
)
def test_the_result_is_replaced(tiny_night: TinyNight, settings: tuple[str, ...], files: int) -> None:
    """As many parts as the new settings make, the same rows bit by bit, and never a mixture."""
    tiny_night.run("execution.unit_rows=60")
    before = tiny_night.published()

    with watching(tiny_night.out, DATE):
        outcome = tiny_night.run(*settings)

    assert outcome.status == "published"
    assert parts(tiny_night) == files
    tiny_night.assert_sound(undisturbed=before)


def test_processes_alone_change_nothing(tiny_night: TinyNight) -> None:
    """The number of processes is no part of a run's identity: the second run has nothing to do."""
    tiny_night.run("execution.unit_rows=25")

    outcome = tiny_night.run("execution.unit_rows=25", "execution.processes=2")

    assert outcome.status == "already published"


def test_other_files_of_the_same_records_replace_them(tiny_night: TinyNight) -> None:
    """The same 300 rows in five files instead of two."""
    tiny_night.run()
    before = tiny_night.published()
    rows = pa.concat_tables([records(0, 150), records(150, 300)])
    tiny_night.replace_input(*(rows.slice(60 * i, 60) for i in range(5)))

    with watching(tiny_night.out, DATE):
        tiny_night.run()

    assert parts(tiny_night) == 5
    assert before.num_rows == ROWS
    tiny_night.assert_sound(undisturbed=before)


def test_an_unfinished_run_with_other_units_is_not_mixed_in(tiny_night: TinyNight) -> None:
    """Parts of one cut lie staged when the run starts with another: they are swept, not published."""
    tiny_night.run()
    before = tiny_night.published()
    tiny_night.stage("execution.unit_rows=25")

    outcome = tiny_night.run("execution.unit_rows=40")

    assert outcome.manifest.details["units"]["resumed"] == 0
    tiny_night.assert_sound(undisturbed=before)
