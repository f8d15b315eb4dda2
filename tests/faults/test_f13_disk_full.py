"""F13: disk full in staging."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from models.errors import OutputError
from pipelines.plan import plan
from tests.e2e.retail import amalgam
from tests.faults.disks import RealSmall, Small, small_disk
from tests.faults.nights import TinyNight, end_process_of_lease, heavy_records, make_night
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, NIGHT

pytestmark = pytest.mark.beam

DISK_BYTES = 4 << 20  # FAULTS.md's
ROWS, BLOB = 300, 1000
UNIT_ROWS = 50
LEAST_BYTES = ROWS * (64 + 16 + 8) * 4 // 2  # vectors of 64, 16 and 8 float32, and what compression may save of them
LEAVE = 200_000  # more than that, and less than the 300,000 bytes of blobs: found out on the way, not before


@pytest.fixture(params=["mounted", "injected"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Small]:
    """A disk that can be filled: a real one where that is possible, and a pretended one in any case."""
    with small_disk(tmp_path / "disk", DISK_BYTES, mount=request.param == "mounted") as small:
        yield small


@pytest.fixture
def night(tmp_path: Path, disk: Small) -> TinyNight:
    """A night whose old result of 20 rows stands on the disk, and whose new input is 300 rows."""
    night = heavy_night(tmp_path, disk.path / "out", heavy_records(0, 20, BLOB))
    night.run()
    night.replace_input(heavy_records(0, ROWS, BLOB))
    return night


def heavy_night(folder: Path, out: Path, table: pa.Table) -> TinyNight:
    """A night in units of 50 rows, which keeps the blobs."""
    output = {"path": str(out), "keep": ["blob"]}
    return make_night(folder, table, output=output, execution={"processes": 1, "unit_rows": UNIT_ROWS})


def test_a_disk_that_becomes_full_ends_the_run(disk: Small, night: TinyNight) -> None:
    """Exit 73 with the bytes needed; the old result stands all the while; freeing and running again completes."""
    with watching(night.out, DATE) as watcher:
        disk.fill(LEAVE)
        with pytest.raises(OutputError, match="No space left on device") as refused:
            night.run()
        disk.free()
        end_process_of_lease(night.out)
        assert night.published().num_rows == 20
        outcome = night.run()

    assert refused.value.exit_code == 73
    # A unit of 50 rows takes 50,000 bytes of blobs, and some 17,000 of vectors and names: two fit, four are left.
    assert re.search(r"needs about 2[5-8]\d,\d{3} bytes, \d{1,2},?\d{0,3} are free", str(refused.value))
    assert outcome.manifest.details["units"] == {"done": 6, "resumed": 2}
    assert {view.rows for view in watcher.seen} <= {20, ROWS}
    night.assert_sound()


def test_workers_that_meet_a_full_disk_say_so(tmp_path: Path) -> None:
    """The whole command, with processes that write at once: where a disk can be mounted, else in one process."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        night = heavy_night(tmp_path, disk.path / "out", heavy_records(0, ROWS, BLOB))
        disk.fill(LEAVE)
        if isinstance(disk, RealSmall):
            done = amalgam(*night.arguments("execution.processes=2"))
            code, told = done.code, done.err
        else:
            with pytest.raises(OutputError) as refused:
                night.run()
            code, told = refused.value.exit_code, str(refused.value)

        assert code == 73, told
        assert "No space left on device" in told
        disk.free()
        end_process_of_lease(night.out)
        night.run()
        night.assert_sound()


def test_a_disk_that_is_too_small_is_found_before_any_work(disk: Small, night: TinyNight) -> None:
    """Exit 73 with both numbers, from `run` and from `plan`; nothing was staged."""
    disk.fill(LEAST_BYTES // 2)
    for ask in (night.run, lambda: plan(night.load(), NIGHT)):
        with pytest.raises(OutputError, match=rf"room for about {LEAST_BYTES:,} bytes; got [\d,]+ bytes free"):
            ask()
    assert [path.name for path in (night.out / "staging").iterdir()] == ["leases"]


def test_a_rerun_needs_room_for_the_rest_only(disk: Small, night: TinyNight) -> None:
    """What is staged already takes its room already: the check before the work does not count it twice."""
    for leave in (LEAVE, LEAST_BYTES - 1):  # two of six units are done then, so less room is enough to start
        disk.fill(leave)
        with pytest.raises(OutputError, match="No space left on device"):
            night.run()
        disk.free()
        end_process_of_lease(night.out)
