"""Tests of the trial: a child dies instead of the process that must go on."""

from __future__ import annotations

import os
import signal
import time
from functools import partial

import pyarrow as pa
import pytest

from models.errors import WorkerDied
from transforms.blame import Fault
from transforms.trial import Trial, Work


def batch_of(rows: int) -> pa.RecordBatch:
    """x = 0, 1, 2, …"""
    return pa.record_batch({"x": list(range(rows))})


def deadly(how: str, poison: int) -> Work:
    """Work that ends the process, hangs or raises at one value."""

    def work(batch: pa.RecordBatch) -> None:
        if poison not in batch.column("x").to_pylist():
            return
        if how == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif how == "exit":
            os._exit(0)
        elif how == "hang":
            time.sleep(3600)
        raise ValueError("told by the parent's own attempt")

    return work


@pytest.mark.parametrize("how", ["segfault", "exit"])
def test_the_row_that_kills_is_found(how: str) -> None:
    """16 rows, known to kill: the halves 8, 4, 2, and twice the row alone."""
    with Trial(partial(deadly, how, 11), deadline=60) as trial:
        verdict = trial.judge(batch_of(16))

    assert {row: f.fault for row, f in verdict.guilty.items()} == {11: Fault.DEATH}
    assert trial.deaths == 5


def test_a_row_that_hangs_is_found() -> None:
    """A child that does not answer within the deadline is killed."""
    with Trial(partial(deadly, "hang", 0), deadline=3) as trial:
        verdict = trial.judge(batch_of(2))

    assert list(verdict.guilty) == [0]


def test_an_exception_is_not_a_death() -> None:
    """Whoever does the work in earnest meets it again and tells it apart."""
    with Trial(partial(deadly, "raise", 1), deadline=60) as trial:
        verdict = trial.judge(batch_of(4))

    assert (verdict.guilty, trial.deaths) == ({}, 0)


def unborn() -> Work:
    """Work that cannot be built."""
    os._exit(1)


def test_a_child_that_dies_before_any_row_blames_no_row() -> None:
    """Otherwise every row of the batch would be found guilty."""
    with pytest.raises(WorkerDied, match="must start"), Trial(unborn, deadline=60) as trial:
        trial.judge(batch_of(4))
