"""Tests of the disks that the storage faults use."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from models.errors import OutputError
from tests.faults.disks import InjectedSmall, Refusing, Small, mounted, small_disk
from transforms.sinks import storage
from transforms.sinks.durable import write_atomically
from transforms.sinks.preflight import check_output

SIZE = 1 << 20
FULL = os.strerror(errno.ENOSPC)


def assert_becomes_full(disk: Small) -> None:
    """Less than is left fits, more does not, and does after the space was given back."""
    disk.fill(leave=20_000)
    with pytest.raises(OutputError, match="room for about 30,000 bytes"):
        check_output(str(disk.path), 30_000)
    write_atomically(disk.path / "fits", bytes(4_000))
    with pytest.raises(OSError, match=FULL):
        write_atomically(disk.path / "does not", bytes(30_000))
    disk.free()
    write_atomically(disk.path / "fits now", bytes(30_000))
    assert sorted(path.name for path in disk.path.iterdir()) == ["fits", "fits now"]


def test_a_small_disk_becomes_full(tmp_path: Path) -> None:
    """A mounted one where that is allowed; nothing of it is left."""
    with small_disk(tmp_path / "disk", SIZE) as disk:
        assert_becomes_full(disk)


def test_an_injected_disk_becomes_full_too(tmp_path: Path) -> None:
    """It can be used where nothing can be mounted."""
    assert_becomes_full(InjectedSmall(tmp_path))
    assert type(storage.SYSTEM) is storage.System


def test_a_mounted_disk_leaves_nothing(tmp_path: Path) -> None:
    """Nobody else sees what is on it."""
    with mounted(tmp_path / "disk", SIZE) as disk:
        if disk is not None:
            (disk.path / "file").write_bytes(b"x")
        assert list((tmp_path / "disk").iterdir()) == []


def test_a_read_only_disk_refuses(tmp_path: Path) -> None:
    """Where mounting is allowed, once it was remounted; what was there stays readable."""
    with mounted(tmp_path / "disk", SIZE) as disk:
        if disk is not None:
            (disk.path / "before").write_bytes(b"x")
            disk.make_read_only()
            with pytest.raises(OSError, match="Read-only file system"):
                (disk.path / "after").write_bytes(b"x")
            assert (disk.path / "before").read_bytes() == b"x"


def test_names_can_be_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only file system; a folder that is there may be asked for."""
    system = Refusing(errno.EROFS, names=True)
    monkeypatch.setattr(storage, "SYSTEM", system)
    storage.make_folder(tmp_path)
    with pytest.raises(OSError, match="Read-only"):
        storage.make_folder(tmp_path / "new")
    assert system.refused == 1
