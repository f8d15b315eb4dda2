"""The account of an op in a process: time at work, time without input, padding, and the GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from models.batch import BatchOp
from models.encoders.base import Waste
from tests.transforms.workers.ops import DoubledSpec
from transforms.workers.base import Usage
from transforms.workers.tally import Tally, look_at_gpu

OP = DoubledSpec().build()


def ticking(*seconds: float) -> Callable[[], float]:
    """A clock that shows these times, one after the other."""
    times: Iterator[float] = iter(seconds)
    return lambda: next(times)


def no_gpu() -> Usage:
    """Nothing is seen."""
    return Usage()


def account(tally: Tally, op: BatchOp, *batches: int) -> Usage:
    """The account after batches of so many rows."""
    for rows in batches:
        with tally.batch(op, rows):
            pass
    return tally.total


def test_time_at_work_and_time_without_input() -> None:
    """Two batches from 10 to 13 s and from 15 to 16 s: 4 s of work, 2 s of waiting; before the first is not counted."""
    found = account(Tally(no_gpu, ticking(10, 13, 15, 16)), OP, 5, 7)

    assert found == Usage(batches=2, rows=12, busy=4.0, idle=2.0)
    assert found.waiting == pytest.approx(2 / 6)


def test_a_batch_that_fails_took_its_time() -> None:
    """3 s of work, though nothing came of it."""
    tally = Tally(no_gpu, ticking(0, 3))
    with pytest.raises(ZeroDivisionError), tally.batch(OP, 5):
        raise ZeroDivisionError
    assert tally.total == Usage(batches=1, rows=5, busy=3.0)


class Padding:
    """An op that pads four tokens to five."""

    def __init__(self) -> None:
        self.calls = 0

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return schema

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch

    def waste(self) -> Waste:
        self.calls += 1
        return Waste(5 * self.calls, 4 * self.calls)


def test_padding_is_what_the_op_says() -> None:
    """Its sums since it was built, 5 and 4, then 10 and 8: counted once, a fifth of them padding."""
    found = account(Tally(no_gpu, ticking(0, 1, 1, 2)), Padding(), 1, 1)

    assert (found.computed, found.real) == (10, 8)
    assert found.padding == pytest.approx(0.2)


def test_the_gpu_is_looked_at_after_each_batch() -> None:
    """Looks of 100 % and 50 % are 75 % on average; of memory the most counts."""
    looks = iter([Usage(gpu_memory=7, gpu_busy=1.0, gpu_looks=1), Usage(gpu_memory=5, gpu_busy=0.5, gpu_looks=1)])

    found = account(Tally(lambda: next(looks), ticking(0, 1, 1, 2)), OP, 1, 1)

    assert (found.gpu_memory, found.gpu_utilization) == (7, 0.75)


def test_without_a_gpu_nothing_is_seen() -> None:
    """And nothing is loaded to find that out."""
    assert look_at_gpu() == Usage()


def test_shares_of_nothing() -> None:
    """An op without batches has waited for nothing, and padded nothing."""
    assert (Usage().waiting, Usage().padding, Usage().gpu_utilization) == (0.0, 0.0, None)


def test_accounts_are_added() -> None:
    """All sums, and the most memory."""
    first = Usage(1, 2, 3.0, 4.0, 5, 6, 70, 0.5, 1)
    second = Usage(1, 1, 1.0, 1.0, 1, 1, 60, 0.25, 2)

    assert first.plus(second) == Usage(2, 3, 4.0, 5.0, 6, 7, 70, 0.75, 3)
