"""F22: the output cannot be written, or becomes read-only on the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.errors import OutputError, PermissionRefused
from pipelines.execute import execute
from pipelines.plan import plan
from pipelines.run import prepare
from tests.faults.disks import Refusing, mounted
from tests.faults.nights import TinyNight, end_process_of_lease, make_night
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, NIGHT, records
from transforms.sinks import storage

pytestmark = pytest.mark.beam

REPOSITORY = Path(__file__).parents[2]
DISK_BYTES = 4 << 20
TOLD_SECONDS = 5.0  # FAULTS.md's
NOWHERE = "127.0.0.1:9"  # the discard service's port, where nothing listens
NO_WORKERS = (f"workers.address=ray://{NOWHERE}",)
"""A run that asked for a worker would meet another error than that of its output."""


@contextmanager
def read_only(folder: Path) -> Iterator[tuple[TinyNight, Path]]:
    """A night of 60 rows and an output that cannot be written, where an old result of 20 rows stands."""
    with mounted(folder / "disk", DISK_BYTES) as disk, pytest.MonkeyPatch.context() as patch:
        out = (disk.path if disk else folder) / "out"
        night = make_night(folder, records(0, 20), output={"path": str(out)})
        night.run()
        night.replace_input(records(0, 60))
        if disk:
            disk.make_read_only()
        else:
            patch.setattr(storage, "SYSTEM", Refusing(errno.EROFS, names=True))
        yield night, out


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_read_only_output_is_found_before_any_work(tmp_path: Path, command: str) -> None:
    """Exit 73 within 5 s, and no worker was asked for; the old result stands."""
    with read_only(tmp_path) as (night, out), watching(out, DATE):
        began = time.monotonic()
        with pytest.raises(OutputError, match=r"Read-only file system.*make the file system writable") as refused:
            night.run(*NO_WORKERS) if command == "run" else plan(night.load(*NO_WORKERS), NIGHT)
        seconds = time.monotonic() - began

    assert refused.value.exit_code == 73
    assert seconds < TOLD_SECONDS


def test_a_folder_without_permission_is_found_before_any_work(tmp_path: Path) -> None:
    """Exit 77 with the folder's name, in a process for which permission bits count."""
    night = make_night(tmp_path, records(0, 60))
    night.out.mkdir(mode=0o555)
    script = str(Path(__file__).with_name("bound_by_permissions.py"))
    command = [sys.executable, script, *night.arguments(*NO_WORKERS)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (PermissionRefused.exit_code, ""), done.stderr
    assert f"amalgam: {night.out} must be writable; got Permission denied" in done.stderr
    assert list(night.out.iterdir()) == []


@pytest.mark.parametrize("moment", ["while units are written", "when it publishes"])
def test_an_output_that_becomes_read_only_ends_the_run(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Exit 73; the old result stands all the while; the rerun completes."""
    tiny_night.run()
    tiny_night.replace_input(records(0, 200))
    work = prepare(tiny_night.load("execution.unit_rows=40"), NIGHT)

    def become_read_only(_ledger: object = None) -> None:
        monkeypatch.setattr(storage, "SYSTEM", Refusing(errno.EROFS, names=True))

    with watching(tiny_night.out, DATE) as watcher:
        if moment == "while units are written":
            # Two units of 40 rows take about this much; the third meets the read-only file system.
            monkeypatch.setattr(storage, "SYSTEM", Refusing(errno.EROFS, allowed=30_000, names=True))
        with pytest.raises(OutputError, match="Read-only file system") as refused:
            execute(work, (), details={}, accept=become_read_only)
        monkeypatch.undo()
        end_process_of_lease(tiny_night.out)
        outcome = tiny_night.run("execution.unit_rows=40")

    assert refused.value.exit_code == 73
    assert outcome.manifest.details["units"]["resumed"] > 0
    assert {view.rows for view in watcher.seen} <= {300, 200}
    tiny_night.assert_sound()
