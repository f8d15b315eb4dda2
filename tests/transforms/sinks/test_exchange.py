"""Tests of exchanging folders."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from transforms.sinks import exchange as module
from transforms.sinks.exchange import can_exchange, exchange, put_in_place


def _folder(path: Path, content: str) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(content)
    return path


def test_two_folders_change_places(tmp_path: Path) -> None:
    """Each has the other's content afterwards."""
    one, other = _folder(tmp_path / "a", "one"), _folder(tmp_path / "b" / "c", "other")
    exchange(one, other)
    assert ((one / "file").read_text(), (other / "file").read_text()) == ("other", "one")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """Both must exist; the message names them."""
    one = _folder(tmp_path / "a", "one")
    with pytest.raises(FileNotFoundError, match=r"a' -> .*b'"):
        exchange(one, tmp_path / "b")


def test_put_in_place_where_nothing_stands(tmp_path: Path) -> None:
    """The first publication is a plain rename."""
    put_in_place(_folder(tmp_path / "staged", "new"), tmp_path / "out" / "target")
    assert (tmp_path / "out" / "target" / "file").read_text() == "new"
    assert not (tmp_path / "staged").exists()


def test_put_in_place_keeps_what_stood_there(tmp_path: Path) -> None:
    """The old folder is handed back, not deleted."""
    _folder(tmp_path / "target", "old")
    put_in_place(_folder(tmp_path / "staged", "new"), tmp_path / "target")
    assert (tmp_path / "staged" / "file").read_text() == "old"


def test_the_probe_leaves_nothing(tmp_path: Path) -> None:
    """A file system that can exchange is recognized without a trace."""
    assert can_exchange(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", sorted(module.UNSUPPORTED))
def test_a_file_system_that_cannot_is_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Every way in which file systems say no."""

    def refuse(one: Path, other: Path) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(module, "exchange", refuse)
    assert not can_exchange(tmp_path)


def test_other_errors_of_the_probe_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is not a file system that cannot exchange."""

    def refuse(one: Path, other: Path) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(module, "exchange", refuse)
    with pytest.raises(OSError, match="full"):
        can_exchange(tmp_path)
