"""Tests of what is found out about an output before work begins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigError, OutputError
from transforms.sinks import preflight
from transforms.sinks.preflight import check_output, free_bytes

REPOSITORY = Path(__file__).parents[3]


def test_a_good_output_passes_and_nothing_is_left(tmp_path: Path) -> None:
    """Folders that do not exist yet are not made by looking."""
    check_output(str(tmp_path / "not" / "yet"), bytes_needed=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["s3://bucket/out", "gs://bucket/out", "hdfs://host/out"])
def test_a_remote_output_is_refused(uri: str) -> None:
    """This version publishes to POSIX file systems, and says so."""
    with pytest.raises(ConfigError, match="this version publishes to POSIX file systems"):
        check_output(uri)


def test_a_file_system_that_cannot_exchange_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found before any work is done."""
    monkeypatch.setattr(preflight, "can_exchange", lambda _: False)
    with pytest.raises(ConfigError, match="can exchange two folders in one step"):
        check_output(str(tmp_path))


def test_an_output_below_a_file_is_refused(tmp_path: Path) -> None:
    """A path that cannot become a folder is an output error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Not a directory"):
        check_output(str(tmp_path / "file" / "out"))


def test_too_little_space_is_refused_with_both_numbers(tmp_path: Path) -> None:
    """Bytes needed against bytes free."""
    with pytest.raises(OutputError, match=r"room for about 1,000,000,000,000,000,000 bytes; got [\d,]+ bytes free"):
        check_output(str(tmp_path), bytes_needed=10**18)


def test_free_bytes_of_a_folder_to_be(tmp_path: Path) -> None:
    """What statvfs says of the nearest folder that exists."""
    assert 0 < free_bytes(tmp_path / "a" / "b") <= os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize


def test_features_on_another_file_system_are_refused(tmp_path: Path) -> None:
    """A link to another file system could not be exchanged with staging; /proc is always another one."""
    (tmp_path / "features").symlink_to("/proc")
    with pytest.raises(ConfigError, match="same file system"):
        check_output(str(tmp_path))


def test_a_folder_without_permission_is_refused_with_77(tmp_path: Path) -> None:
    """Checked in a process without privileges, because root may write anywhere."""
    (tmp_path / "closed").mkdir(mode=0o500)
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)  # so that the child can look
    code = (
        "import os, sys\n"
        "from models.errors import PermissionRefused\n"
        "from transforms.sinks.preflight import check_output\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "try: check_output(sys.argv[1])\n"
        "except PermissionRefused as error: sys.exit(error.exit_code)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "closed")], env=environment, check=False)
    assert done.returncode == 77
