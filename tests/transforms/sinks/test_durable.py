"""Tests of atomic writing and of what refusals mean."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from models.errors import OutputError, PermissionRefused
from transforms.sinks.durable import read_json, sha256_of, write_atomically, write_json, writing


def test_the_content_is_replaced_and_nothing_is_left(tmp_path: Path) -> None:
    """The file holds the new content; its temporary name is gone."""
    for content in (b"old", b"new"):
        write_atomically(tmp_path / "folder" / "file", content)
    assert (tmp_path / "folder" / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path / "folder") == ["file"]  # noqa: PTH208  # names are what is compared


def test_a_failed_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up costs the new content only."""
    write_atomically(tmp_path / "file", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("transforms.sinks.durable.os.fsync", full)
    with pytest.raises(OSError, match="full"):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_equal_mappings_give_equal_bytes(tmp_path: Path) -> None:
    """The order of keys does not matter."""
    write_json(tmp_path / "one", {"a": 1, "b": [2.5]})
    write_json(tmp_path / "other", {"b": [2.5], "a": 1})
    assert sha256_of(tmp_path / "one") == sha256_of(tmp_path / "other")
    assert read_json(tmp_path / "one") == {"a": 1, "b": [2.5]}


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    """The device that is always full, and the message's advice."""
    with pytest.raises(OutputError, match="No space left on device; free some space"), writing(tmp_path):
        Path("/dev/full").write_bytes(b"x")


def test_denied_permission_is_its_own_error(tmp_path: Path) -> None:
    """77, not 73."""
    with pytest.raises(PermissionRefused, match="grant access"), writing(tmp_path):
        raise PermissionError(errno.EACCES, "no")
