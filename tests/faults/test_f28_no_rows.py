"""F28: zero rows, or zero files, in the interval."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.nights import TinyNight
from tests.faults.readers import READERS
from tests.pipelines.tiny_jobs import DATE, records, run_command

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.beam


def schema_of(out: Path) -> pa.Schema:
    """The schema of what is published, with the fields' metadata."""
    (part,) = sorted(out.glob(f"features/date={DATE}/*.parquet"))[:1]
    return pq.read_schema(part)


@pytest.mark.parametrize("files", [1, 3])
def test_files_without_rows_publish_a_partition_with_the_schema_of_a_full_one(
    tiny_night: TinyNight, tmp_path: Path, capsys: Capture, files: int
) -> None:
    """A night on which nothing happened is a night: every reader finds it, with the columns it knows."""
    tiny_night.run(f"output.path={tmp_path / 'full'}")
    tiny_night.replace_input(*[records(0, 0)] * files)

    ran = run_command(capsys, tiny_night.job)

    assert (ran.code, ran.ledger["rows_read"], ran.ledger["rows_published"]) == (0, 0, 0)
    full, empty = schema_of(tmp_path / "full"), schema_of(tiny_night.out)
    assert empty.equals(full.with_metadata(empty.metadata), check_metadata=True)
    assert {name: len(read(tiny_night.out, DATE, ["id"])) for name, read in READERS.items()} == dict.fromkeys(
        READERS, 0
    )
    tiny_night.assert_sound()


def test_a_file_without_rows_beside_others_changes_nothing(
    tiny_night: TinyNight, tmp_path: Path, capsys: Capture
) -> None:
    """It adds no row and takes none away."""
    tiny_night.run(f"output.path={tmp_path / 'without'}")
    pq.write_table(records(0, 0), tiny_night.inputs / "005.parquet")  # sorts between the two

    assert run_command(capsys, tiny_night.job).code == 0
    tiny_night.assert_sound(undisturbed=tiny_night.published(tmp_path / "without"))


@pytest.mark.parametrize("left", ["an empty folder", "no folder", "only files of other formats"])
def test_no_files_are_66_and_the_last_good_output_stands(tiny_night: TinyNight, capsys: Capture, left: str) -> None:
    """Try again later: the input of this date has not come yet."""
    tiny_night.run()
    before = tiny_night.published()
    for path in tiny_night.inputs.iterdir():
        path.unlink()
    if left == "no folder":
        tiny_night.inputs.rmdir()
    elif left == "only files of other formats":
        (tiny_night.inputs / "_SUCCESS").touch()

    ran = run_command(capsys, tiny_night.job)

    assert ran.code == 66
    assert f"date={DATE}" in ran.error
    assert tiny_night.published().equals(before)
