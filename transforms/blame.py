"""Blame: a batch that fails is halved until the rows that are to blame stand alone; their neighbours go on.

Whatever a step raises is of one of four classes, told apart here and nowhere else:

    DATA           the step fails on a value                 halve; the row that is left is to blame
    MEMORY         the batch does not fit                    halve; whoever asks may remember what fitted
    DEATH          a worker died while at this very batch    once more as it is, then halve
    CONFIGURATION  everything that no row can be blamed for  stop the run at once
                   (models, settings, storage, access, a worker that cannot be had)

A single poison row in a batch of n = 2^k rows costs at most k + 3 deaths: two of the whole batch (the first may have
been somebody's `kill`), one for each size from n/2 down to 2, two of the row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

from models.errors import AmalgamError, MemoryExceeded, WorkerCrashed

Call = Callable[[pa.RecordBatch], pa.RecordBatch]


class Fault(Enum):
    """Whose fault an exception is."""

    DATA = "data"
    MEMORY = "memory"
    DEATH = "death"
    CONFIGURATION = "configuration"


def classify(error: Exception) -> Fault:
    """The class of an exception that a step raised for a batch."""
    # torch.OutOfMemoryError is told by its name, so that torch need not be imported.
    if isinstance(error, MemoryExceeded | MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return Fault.MEMORY
    if isinstance(error, WorkerCrashed):
        return Fault.DEATH
    return Fault.CONFIGURATION if isinstance(error, AmalgamError) else Fault.DATA


@dataclass(frozen=True)
class Failure:
    """Why a row could not be processed."""

    fault: Fault
    error: str
    """The exception that the row caused on its own, in one line."""


@dataclass(frozen=True)
class Verdict:
    """What became of a batch."""

    good: pa.RecordBatch | None
    """The result for the rows that came through, in order; None when there is none."""
    guilty: Mapping[int, Failure]
    """Position in the batch -> why that row did not."""
    fits: int
    """Most rows that came through in one call; as many as the batch has if nothing failed."""


def judge(batch: pa.RecordBatch, call: Call, first: Callable[[], pa.RecordBatch] | None = None) -> Verdict:
    """`call(batch)`, and if that fails, the same for its halves, and theirs.

    Args:
        batch: at least one row.
        call: gives one row for each; a row's result must not depend on the rows around it.
        first: gives the first attempt's result instead (of a batch that was submitted before).

    Raises:
        AmalgamError: of the class CONFIGURATION.
    """
    return _judge(batch, call, first or (lambda: call(batch)), attempts=2)


def judge_halves(batch: pa.RecordBatch, call: Call) -> Verdict:
    """As `judge`, for a batch that is known to fail as a whole."""
    if batch.num_rows == 1:
        return judge(batch, call)
    middle = batch.num_rows // 2
    left, right = (_part(half, call) for half in (batch.slice(0, middle), batch.slice(middle)))
    good = [verdict.good for verdict in (left, right) if verdict.good is not None]
    guilty = {**left.guilty, **{middle + row: failure for row, failure in right.guilty.items()}}
    return Verdict(pa.concat_batches(good) if good else None, guilty, max(left.fits, right.fits))


def _part(batch: pa.RecordBatch, call: Call) -> Verdict:
    return _judge(batch, call, lambda: call(batch), attempts=2 if batch.num_rows == 1 else 1)


def _judge(batch: pa.RecordBatch, call: Call, first: Callable[[], pa.RecordBatch], attempts: int) -> Verdict:
    """One attempt; deaths have `attempts` before they count."""
    try:
        return Verdict(first(), {}, batch.num_rows)
    except Exception as error:  # told apart by class: what is not the rows' fault goes on its way
        fault = classify(error)
        if fault is Fault.CONFIGURATION:
            raise
        failure = Failure(fault, _line(error))
    if fault is Fault.DEATH and attempts > 1:
        return _judge(batch, call, lambda: call(batch), attempts - 1)
    if batch.num_rows == 1:
        return Verdict(None, {0: failure}, 0)
    return judge_halves(batch, call)


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
