"""Tests of finding who is to blame: halving, the four classes, and how many deaths it may cost."""

from __future__ import annotations

from collections.abc import Collection
from math import log2

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import (
    ConfigError,
    InternalError,
    MemoryExceeded,
    OutputError,
    StorageAway,
    WorkerCrashed,
    WorkerDied,
)
from transforms.blame import Fault, Verdict, classify, judge, judge_halves


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


class Step:
    """Doubles `x`; raises `error` for batches with a bad value in them."""

    def __init__(self, bad: Collection[int], error: Exception, spared: int = 0) -> None:
        self._bad = frozenset(bad)
        self._error = error
        self._spared = spared
        self.sizes: list[int] = []
        """Rows of each call that failed."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        values = batch.column("x").to_pylist()
        if self._bad.intersection(values):
            self.sizes.append(len(values))
            if len(self.sizes) > self._spared:
                raise self._error
        return pa.record_batch({"x": [2 * value for value in values]})


def batch_of(rows: int) -> pa.RecordBatch:
    """x = 0, 1, 2, …"""
    return pa.record_batch({"x": list(range(rows))})


def values(verdict: Verdict) -> list[int]:
    """What came through."""
    return [] if verdict.good is None else verdict.good.column("x").to_pylist()


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ValueError("?"), Fault.DATA),
        (RuntimeError("shape mismatch"), Fault.DATA),
        (FloatingPointError("NaN"), Fault.DATA),
        (MemoryExceeded("?"), Fault.MEMORY),
        (MemoryError(), Fault.MEMORY),
        (OutOfMemoryError("CUDA out of memory"), Fault.MEMORY),
        (WorkerCrashed("?"), Fault.DEATH),
        (WorkerDied("gave up"), Fault.CONFIGURATION),
        (ConfigError("no weights"), Fault.CONFIGURATION),
        (StorageAway("?"), Fault.CONFIGURATION),
        (OutputError("full"), Fault.CONFIGURATION),
        (InternalError("?"), Fault.CONFIGURATION),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_exceptions_are_of_four_classes(error: Exception, fault: Fault) -> None:
    """What no row can be blamed for stops the run; the rest is halved."""
    assert classify(error) is fault


def test_a_good_batch_is_called_once() -> None:
    """Nothing is copied and nobody is blamed."""
    assert values(judge(batch_of(3), Step((), ValueError()))) == [0, 2, 4]


@given(rows=st.integers(1, 40), data=st.data())
def test_exactly_the_guilty_rows_are_found(rows: int, data: st.DataObject) -> None:
    """Any rows of any batch: the others come through in order."""
    bad = data.draw(st.sets(st.integers(0, rows - 1)))

    verdict = judge(batch_of(rows), Step(bad, ValueError("bad value")))

    assert set(verdict.guilty) == bad
    assert values(verdict) == [2 * x for x in range(rows) if x not in bad]
    assert all(f.fault is Fault.DATA and f.error == "ValueError: bad value" for f in verdict.guilty.values())


@pytest.mark.parametrize("poison", [0, 1, 63, 64, 127])
def test_a_poison_row_costs_at_most_log2_plus_three_deaths(poison: int) -> None:
    """128 rows: twice all of them, then 64, 32, 16, 8, 4, 2, then twice the row alone."""
    step = Step({poison}, WorkerCrashed("killed"))

    verdict = judge(batch_of(128), step)

    assert {row: f.fault for row, f in verdict.guilty.items()} == {poison: Fault.DEATH}
    assert step.sizes == [128, 128, 64, 32, 16, 8, 4, 2, 1, 1]
    assert len(step.sizes) <= log2(128) + 3


def test_a_death_that_does_not_come_again_costs_nothing() -> None:
    """Somebody killed the worker: the batch is done once more and nobody is to blame."""
    dying = iter([True, False])

    def call(batch: pa.RecordBatch) -> pa.RecordBatch:
        if next(dying):
            raise WorkerCrashed("killed")
        return batch

    assert judge(batch_of(8), call).guilty == {}


def test_a_batch_that_is_known_to_kill_is_not_tried_again_as_a_whole() -> None:
    """It has died before: halves come first."""
    step = Step({2}, WorkerCrashed("killed"))

    judge_halves(batch_of(4), step)

    assert step.sizes == [2, 1, 1]


def test_memory_is_halved_without_a_second_attempt() -> None:
    """The same batch would not fit the second time either."""
    sizes: list[int] = []

    def call(batch: pa.RecordBatch) -> pa.RecordBatch:
        sizes.append(batch.num_rows)
        if batch.num_rows > 2:
            raise MemoryExceeded("too large")
        return batch

    assert judge(batch_of(8), call).guilty == {}
    assert sizes == [8, 4, 2, 2, 4, 2, 2]


def test_what_is_nobodys_fault_stops_at_once() -> None:
    """One call, and the error as it is."""
    step = Step({0}, ConfigError("no weights"))

    with pytest.raises(ConfigError, match="no weights"):
        judge(batch_of(64), step)

    assert step.sizes == [64]


def test_what_turns_out_to_be_nobodys_fault_stops_half_way() -> None:
    """The worker dies of a row, and then cannot be had any more."""
    answers = iter([WorkerCrashed("killed"), WorkerDied("does not start")])

    def call(_batch: pa.RecordBatch) -> pa.RecordBatch:
        raise next(answers)

    with pytest.raises(WorkerDied, match="does not start"):
        judge(batch_of(4), call)
