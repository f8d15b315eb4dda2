"""Tests of the two ways in which a folder comes to stand where readers look."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from models.errors import ConfigError
from tests.transforms.sinks.systems import WithoutExchange, WithoutLinks
from transforms.sinks import storage
from transforms.sinks.exchange import UNSUPPORTED
from transforms.sinks.layout import Layout
from transforms.sinks.placing import can_exchange, can_link, put_in_place, take_away, unlinked_versions
from transforms.sinks.storage import System

DATE = "2026-11-23"


class _Refusing(System):
    """Gives one answer to exchange and to symlink."""

    def __init__(self, code: int) -> None:
        self._code = code

    def exchange(self, one: Path, other: Path) -> None:
        raise OSError(self._code, os.strerror(self._code))

    def symlink(self, text: str, target: Path) -> None:
        raise OSError(self._code, os.strerror(self._code))


def _staged(output: Path, content: str) -> Path:
    """A folder in staging with one file."""
    folder = output / "staging" / "run" / "features"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_text(content)
    return folder


def _put(output: Path, content: str, run: str) -> Path:
    """Put a new folder in place; gives the target."""
    layout, staged = Layout(output), _staged(output, content)
    put_in_place(staged, layout.features(DATE), layout.versions(DATE) / run / "features")
    return layout.features(DATE)


@pytest.mark.usefixtures("both_layouts")
def test_the_new_folder_stands_and_the_old_one_is_kept(tmp_path: Path) -> None:
    """What stood there is handed back, not deleted."""
    _put(tmp_path, "old", "one")
    target = _put(tmp_path, "new", "other")
    assert (target / "file").read_text() == "new"
    kept = [path.read_text() for path in tmp_path.rglob("file") if not path.samefile(target / "file")]
    assert kept == ["old"]


def test_a_link_leads_to_the_version_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative, so that the output can be moved as a whole; staging keeps nothing of it."""
    monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    target = _put(tmp_path / "out", "new", "2026-11-23-abc")
    assert os.fspath(target.readlink()) == "../versions/date=2026-11-23/2026-11-23-abc/features"
    assert list((tmp_path / "out" / "staging" / "run").iterdir()) == []
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert (Layout(tmp_path / "moved").features(DATE) / "file").read_text() == "new"


def test_a_link_leads_there_though_features_is_a_link_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`..` is taken from the folder as it is, not as it is called."""
    monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "features").symlink_to(tmp_path / "elsewhere" / "deep")
    assert (_put(tmp_path / "out", "new", "run") / "file").read_text() == "new"


def test_the_same_run_again_gets_a_version_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version that stands does not change before the atomic step."""
    monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    stood = _put(tmp_path, "damaged", "run").resolve()
    target = _put(tmp_path, "repaired", "run")
    assert (stood / "file").read_text() == "damaged"
    assert (target / "file").read_text() == "repaired"
    assert unlinked_versions(Layout(tmp_path), DATE) == [stood]


def test_an_output_keeps_its_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for new dates, and also where folders can be exchanged by now: dask would not see both together."""
    with monkeypatch.context() as patched:
        patched.setattr(storage, "SYSTEM", WithoutExchange())
        _put(tmp_path, "old", "one")
    assert _put(tmp_path, "new", "other").is_symlink()
    layout = Layout(tmp_path)
    put_in_place(
        _staged(tmp_path, "next"), layout.features("2026-11-24"), layout.versions("2026-11-24") / "r" / "features"
    )
    assert layout.features("2026-11-24").is_symlink()


def test_a_folder_that_cannot_be_exchanged_any_more_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a hole there is no way to replace it, so it is refused, whole."""
    target = _put(tmp_path, "old", "one")
    monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    with pytest.raises(ConfigError, match=r"date=2026-11-23 must be a link .*docs/operations.md"):
        _put(tmp_path, "new", "other")
    assert (target / "file").read_text() == "old"


@pytest.mark.usefixtures("both_layouts")
def test_taking_away_keeps_what_stood(tmp_path: Path) -> None:
    """Nothing stands there afterwards; the second time, nothing happens."""
    target = _put(tmp_path, "old", "one")
    (tmp_path / "bin").mkdir()
    for _ in range(2):
        take_away(target, into=tmp_path / "bin")
    assert not os.path.lexists(target)
    assert len(list((tmp_path / "bin").iterdir())) == 1
    assert [path.read_text() for path in tmp_path.rglob("file")] == ["old"]


def test_the_probes_leave_nothing(tmp_path: Path) -> None:
    """What a file system can do is found out without a trace."""
    assert can_exchange(tmp_path)
    assert can_link(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", sorted(UNSUPPORTED))
def test_a_file_system_that_cannot_is_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Every way in which file systems say no."""
    monkeypatch.setattr(storage, "SYSTEM", _Refusing(code))
    assert not can_exchange(tmp_path)
    assert not can_link(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_links_is_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """symlink(2) says EPERM there."""
    monkeypatch.setattr(storage, "SYSTEM", WithoutLinks())
    assert not can_link(tmp_path)


@pytest.mark.parametrize("can", [can_exchange, can_link])
def test_other_errors_of_the_probes_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can: object) -> None:
    """A full disk is not a file system that cannot."""
    monkeypatch.setattr(storage, "SYSTEM", _Refusing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        can(tmp_path)  # type: ignore[operator]  # one of two functions
