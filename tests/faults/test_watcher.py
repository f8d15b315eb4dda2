"""Tests of the watcher itself: it passes an exchange in one step, and catches files that are replaced one by one."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.faults import readers
from tests.faults.watcher import POLL_SECONDS, Watcher, watching
from tests.transforms.sinks.samples import DATE, publish, run_info, write_units
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec

LOOKS = 4 * POLL_SECONDS  # long enough for every reader to look at least once


def sink_of(out: Path, tag: str) -> ParquetSink:
    """The sink of one run."""
    return ParquetSinkSpec(path=str(out)).for_run(run_info(tag)).build()


def publish_run(out: Path, tag: str, value: float, units: int = 3) -> None:
    """Publish a run of so many units, 10 rows each, whose vectors hold this value."""
    sink = sink_of(out, tag)
    publish(sink, write_units(sink, units=units, value=value))


def looked_at(watcher: Watcher) -> None:
    """Wait until every reader has looked once more."""
    before = {name: watcher.polls[name] + watcher.loud[name] for name in readers.READERS}
    deadline = time.monotonic() + 30
    while any(watcher.polls[name] + watcher.loud[name] < before[name] + 2 for name in readers.READERS):
        assert time.monotonic() < deadline, "the watcher must look every 50 ms"
        time.sleep(POLL_SECONDS / 5)


def test_a_publication_is_old_then_new(tmp_path: Path) -> None:
    """20 keys before, 30 after; every reader has seen both, and nothing else."""
    publish_run(tmp_path, "old", 1.0, units=2)
    with watching(tmp_path, DATE) as watcher:
        looked_at(watcher)
        publish_run(tmp_path, "new", 2.0)
        looked_at(watcher)
    assert sorted(view.rows for view in watcher.seen) == [20, 30]
    assert set(watcher.polls) == set(readers.READERS)


def test_a_first_publication_is_nothing_then_new(tmp_path: Path) -> None:
    """Before it, every reader says that it cannot read; that is counted, and is no fault."""
    with watching(tmp_path, DATE) as watcher:
        looked_at(watcher)
        publish_run(tmp_path, "new", 1.0)
        looked_at(watcher)
    assert [view.rows for view in watcher.seen] == [30]
    assert all(watcher.loud[name] for name in readers.READERS)


def test_a_date_that_never_appears_is_no_fault(tmp_path: Path) -> None:
    """Nothing before, nothing after, nothing seen."""
    with watching(tmp_path, DATE) as watcher:
        looked_at(watcher)
    assert watcher.seen == {}


def test_files_replaced_one_by_one_are_caught(tmp_path: Path) -> None:
    """What writers without a commit do. Old and new have the same keys, so that only the values tell them apart."""
    publish_run(tmp_path, "old", 1.0)
    publish_run(tmp_path / "elsewhere", "new", 2.0)
    replacing, replaced = (sorted(Layout(out).features(DATE).iterdir()) for out in (tmp_path / "elsewhere", tmp_path))
    with pytest.raises(AssertionError, match="V8: readers must see the old rows or the new; got 30 rows by"):
        replace_slowly(tmp_path, replacing, replaced)


def replace_slowly(out: Path, replacing: list[Path], replaced: list[Path]) -> None:
    """Put one file after the other in place while the watcher looks on."""
    with watching(out, DATE) as watcher:
        for new, old in zip(replacing, replaced, strict=True):
            shutil.move(new, old)
            looked_at(watcher)


def test_rows_that_come_and_go_are_caught(tmp_path: Path) -> None:
    """The new files appear beside the old ones, and the old ones go: 60 rows in between."""
    publish_run(tmp_path, "old", 1.0)
    publish_run(tmp_path / "elsewhere", "new", 2.0)
    replacing, replaced = (sorted(Layout(out).features(DATE).iterdir()) for out in (tmp_path / "elsewhere", tmp_path))
    with pytest.raises(AssertionError, match="V8"):
        add_then_remove(tmp_path, replacing, replaced)


def add_then_remove(out: Path, replacing: list[Path], replaced: list[Path]) -> None:
    """Add all new files, then remove all old ones, while the watcher looks on."""
    with watching(out, DATE) as watcher:
        for new in replacing:
            shutil.move(new, replaced[0].parent / new.name)
        looked_at(watcher)
        for old in replaced:
            old.unlink()
        looked_at(watcher)


def test_a_blocked_reader_fails_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reader that cannot read in the end what the others can."""
    publish_run(tmp_path, "old", 1.0)

    def refuse(*_: object) -> None:
        raise OSError("no")

    with pytest.raises(AssertionError, match=r"V8: readers must agree in the end; got .* no rows by dask"):  # noqa: SIM117
        with watching(tmp_path, DATE):
            monkeypatch.setitem(readers.READERS, "dask", refuse)


def test_what_the_block_raises_goes_first(tmp_path: Path) -> None:
    """The watcher does not hide why a test failed."""
    publish_run(tmp_path, "old", 1.0)
    with pytest.raises(ZeroDivisionError), watching(tmp_path, DATE):
        raise ZeroDivisionError
