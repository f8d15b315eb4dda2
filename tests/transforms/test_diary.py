"""Tests of the diary: which rows a process was at when it vanished."""

from __future__ import annotations

import os
import signal
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pytest

from models.schema import ROW
from transforms.diary import Diary


def batch_of(first: int, rows: int) -> pa.RecordBatch:
    """Rows with these numbers."""
    return pa.record_batch({ROW: pa.array(range(first, first + rows), pa.int64())})


def die_at(folder: str, first: int, rows: int) -> None:
    """A process that is killed while it is at some rows."""
    with Diary(folder).page("unit-1").at(batch_of(first, rows)):
        os.kill(os.getpid(), signal.SIGKILL)


def killed(folder: Path, first: int, rows: int) -> None:
    """Let a process die at these rows."""
    process = get_context("spawn").Process(target=die_at, args=(str(folder), first, rows))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_a_new_page_names_nobody(tmp_path: Path) -> None:
    """The unit was never taken up before."""
    assert Diary(str(tmp_path)).page("unit-1").deaths(batch_of(0, 10)) == 0


def test_deaths_are_counted_by_rows(tmp_path: Path) -> None:
    """Each successor that dies at the same rows adds one; other rows and other units have none."""
    counts = []
    for _ in range(3):
        counts.append(Diary(str(tmp_path)).page("unit-1").deaths(batch_of(10, 5)))
        killed(tmp_path, 10, 5)

    assert counts == [0, 1, 2]
    page = Diary(str(tmp_path)).page("unit-1")
    assert [page.deaths(batch_of(*rows)) for rows in ((0, 10), (14, 1), (15, 5))] == [0, 3, 0]
    assert Diary(str(tmp_path)).page("unit-2").deaths(batch_of(10, 5)) == 0


def test_a_living_process_is_no_death(tmp_path: Path) -> None:
    """A runner may give the same unit to two processes at once."""
    diary = Diary(str(tmp_path))
    with diary.page("unit-1").at(batch_of(0, 5)):
        assert diary.page("unit-1").deaths(batch_of(0, 5)) == 0


def test_a_finished_unit_leaves_no_page(tmp_path: Path) -> None:
    """Nothing to be suspected."""
    page = Diary(str(tmp_path)).page("unit-1")
    with page.at(batch_of(0, 5)):
        pass
    page.close()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"owner": 1}', b"\xff"])
def test_a_page_that_was_cut_off_names_nobody(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Its process died in the middle of writing it: said in the log, no reason to fail."""
    (tmp_path / "unit-1.json").write_bytes(content)

    assert Diary(str(tmp_path)).page("unit-1").deaths(batch_of(0, 5)) == 0
    assert "unit-1.json cannot be read" in caplog.text
