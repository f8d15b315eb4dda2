"""Tests of what is found out about an output before work begins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigError, OutputError
from tests.transforms.sinks.systems import WithoutExchange, WithoutLinks
from transforms.sinks import storage
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


def test_a_file_system_that_can_replace_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither folders nor links: found before any work is done."""
    monkeypatch.setattr(storage, "SYSTEM", WithoutLinks())
    with pytest.raises(ConfigError, match="which can do neither"):
        check_output(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_links_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without exchange gets the other layout; dates that stand there as links are no hindrance."""
    monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "date=2026-11-22").symlink_to("../versions/date=2026-11-22/x/features")
    check_output(str(tmp_path))
    assert _names(tmp_path) == ["features"]


@pytest.mark.parametrize("kind", ["features", "quarantine"])
def test_folders_that_only_an_exchange_could_replace_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """An output that was moved here from another file system: of two layouts, dask would read one alone."""
    (tmp_path / kind / "date=2026-11-22").mkdir(parents=True)
    check_output(str(tmp_path))
    monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    with pytest.raises(ConfigError, match=f"{kind}/date=2026-11-22 must be a link .*; got a folder"):
        check_output(str(tmp_path))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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
