"""Tests of exchanging folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from transforms.sinks.exchange import exchange


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
