"""F14: disk full exactly while publishing."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import OutputError
from pipelines.execute import execute
from pipelines.run import prepare
from tests.faults.disks import small_disk
from tests.faults.nights import end_process_of_lease, make_night
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, NIGHT, records

pytestmark = pytest.mark.beam

DISK_BYTES = 4 << 20
ROWS = 60


@pytest.mark.parametrize("mount", [True, False], ids=["mounted", "injected"])
def test_the_old_result_stands_and_the_rerun_only_publishes(tmp_path: Path, mount: bool) -> None:
    """From the first step of publishing on no byte can be written: exit 73; later nothing is encoded again."""
    with small_disk(tmp_path / "disk", DISK_BYTES, mount=mount) as disk:
        night = make_night(tmp_path, records(0, 20), output={"path": str(disk.path / "out")})
        night.run()
        night.replace_input(records(0, ROWS))

        with watching(night.out, DATE) as watcher:
            with pytest.raises(OutputError, match="No space left on device") as refused:
                execute(prepare(night.load(), NIGHT), (), details={}, accept=lambda _ledger: disk.fill(0))
            disk.free()
            end_process_of_lease(night.out)
            assert night.published().num_rows == 20
            outcome = night.run()

        assert refused.value.exit_code == 73
        assert outcome.manifest.details["units"] == {"done": 1, "resumed": 1}
        assert {view.rows for view in watcher.seen} <= {20, ROWS}
        night.assert_sound()
