"""Tests of the calls that change storage: lost answers are looked up, and only what is safe is repeated."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import pytest

from models.errors import StorageAway
from tests.transforms.sinks.samples import rows, run_info, write_unit
from tests.transforms.sinks.systems import Flaky, LosesAnswers, Wrapping
from transforms.sinks import storage
from transforms.sinks.durable import read_json, write_json
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec
from transforms.sinks.parquet_file import check_file
from transforms.sinks.retry import Patience
from transforms.sinks.storage import System

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PATIENCE", Patience(sleep=lambda _: None))


def _use(monkeypatch: pytest.MonkeyPatch, system: System) -> None:
    monkeypatch.setattr(storage, "SYSTEM", system)


def _tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_rename_whose_answer_is_lost_has_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stands at its new name: that is found out, and no second request is made."""
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    system = LosesAnswers(errno.EIO, lambda path: path.name == "old")
    _use(monkeypatch, system)
    storage.rename(tmp_path / "new", tmp_path / "old")
    assert _tree(tmp_path) == {"old": "new"}
    assert system.lost == 1


def test_a_rename_that_did_not_happen_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request comes through."""
    (tmp_path / "new").write_text("new")
    _use(monkeypatch, _FailsOnce("rename"))
    storage.rename(tmp_path / "new", tmp_path / "old")
    assert _tree(tmp_path) == {"old": "new"}


def test_an_exchange_whose_answer_is_lost_has_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and only once: a second exchange would undo it."""
    _two_folders(tmp_path)
    system = LosesAnswers(errno.ETIMEDOUT, lambda path: path.name == "other")
    _use(monkeypatch, system)
    storage.exchange(tmp_path / "one", tmp_path / "other")
    assert _tree(tmp_path) == {"one/file": "other", "other/file": "one"}
    assert system.lost == 1


def test_an_exchange_that_did_not_happen_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request may still be under way, and a second one would undo it."""
    _two_folders(tmp_path)
    system = LosesAnswers(errno.ETIMEDOUT, lambda path: path.name == "other", acts=False)
    _use(monkeypatch, system)
    with pytest.raises(TimeoutError):
        storage.exchange(tmp_path / "one", tmp_path / "other")
    assert _tree(tmp_path) == {"one/file": "one", "other/file": "other"}
    assert system.lost == 1


@pytest.mark.parametrize("make", [os.link, os.symlink])
def test_a_link_whose_answer_is_lost_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[str, str], None]
) -> None:
    """The repeat finds the name taken, by what it was to be."""
    (tmp_path / "file").write_text("x")
    _use(monkeypatch, LosesAnswers(errno.EIO, lambda path: path.name == "name"))
    if make is os.link:
        storage.link(tmp_path / "file", tmp_path / "name")
    else:
        storage.symlink("file", tmp_path / "name")
    assert (tmp_path / "name").read_text() == "x"


def test_a_name_that_something_else_has_is_refused(tmp_path: Path) -> None:
    """Looking up does not excuse a name that was taken before."""
    for name in ("file", "taken"):
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        storage.link(tmp_path / "file", tmp_path / "taken")
    with pytest.raises(FileExistsError):
        storage.symlink("file", tmp_path / "taken")


def test_after_a_failed_fsync_the_content_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages that a failed fsync lost are dirty again before the next one, which alone would write nothing."""
    system = _LosesPages()
    _use(monkeypatch, system)
    write_json(tmp_path / "file.json", {"a": 1})  # its content is at hand; the system has lost it
    assert read_json(tmp_path / "file.json") == {"a": 1}
    assert system.failed == 1


def test_a_part_survives_a_failed_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are read back, compared and written again before the next fsync."""
    sink, system = _sink_at_work(tmp_path), _FailsOnce("fsync")
    _use(monkeypatch, system)
    part = write_unit(sink, "00000-u", rows(50))
    check_file(Layout(tmp_path).staging(run_info().run_id).features / part.features.name, part.features)
    assert system.written >= 2 * part.features.bytes


def test_a_part_that_the_system_dropped_is_not_taken_for_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read back after the failed fsync is not what was written: the unit must be done again."""
    sink = _sink_at_work(tmp_path)
    _use(monkeypatch, _LosesPages())
    with pytest.raises(StorageAway, match="must keep what was written"):
        write_unit(sink, "00000-u", rows(50))
    assert sink.finished() == {}


def test_a_flaky_system_fails_before_and_after_acting(tmp_path: Path) -> None:
    """The fake is what the tests that use it take it for."""
    system = Flaky(1.0, frozenset({"mkdir"}))
    acted = []
    for i in range(40):
        with pytest.raises(OSError):  # noqa: PT011  # any of its codes
            system.mkdir(tmp_path / f"{i}")
        acted.append((tmp_path / f"{i}").exists())
    assert 10 < sum(acted) < 30  # half of 40
    assert system.failed == {"mkdir": 40}


def _sink_at_work(output: Path) -> ParquetSink:
    """A sink whose run has begun, so that the next file that is synced is a part."""
    write_json(Layout(output).staging(run_info().run_id).run, asdict(run_info()))
    return ParquetSinkSpec(path=str(output)).for_run(run_info()).build()


def _two_folders(folder: Path) -> None:
    for name in ("one", "other"):
        (folder / name).mkdir()
        (folder / name / "file").write_text(name)


class _FailsOnce(Wrapping):
    """The first call of a name fails before it acts; counts the bytes that are written."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.written = 0
        self._left = [name]

    def around(self, name: str, call: Callable[[], T], path: Path | None) -> T:
        if name in self._left:
            self._left.remove(name)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return call()

    def pwrite(self, handle: int, data: memoryview, offset: int) -> int:
        written = super().pwrite(handle, data, offset)
        self.written += written
        return written


class _LosesPages(System):
    """The first fsync fails, and what was not written by then is lost, as on a disk that cannot write."""

    def __init__(self) -> None:
        self.failed = 0

    def fsync(self, handle: int) -> None:
        if not self.failed:
            self.failed += 1
            os.pwrite(handle, bytes(os.fstat(handle).st_size), 0)  # zeros
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().fsync(handle)
