"""Trial: rows at which processes died are worked on in a child first, and those that kill it too are found."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Final

import pyarrow as pa

from models.errors import WorkerCrashed, WorkerDied
from transforms.blame import Verdict, judge_halves

Work = Callable[[pa.RecordBatch], object]
"""What a batch goes through; its result does not count, only whether the process survives it."""
MakeWork = Callable[[], Work]
"""Builds it in the child; picklable."""

ALIVE: Final = b"alive"
START_SECONDS: Final = 900.0  # as long as workers may take to load their weights (`workers.startup`)

# Not fork: the threads of Arrow, torch and gRPC do not come along, the locks that they hold do. The server that
# children are forked from has imported everything and started nothing, so that a death costs no second import.
_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOADED = ["transforms.steps", "torch"]


class Trial(AbstractContextManager["Trial"]):
    """A child process that works on batches until one kills it; then another child takes its place.

    Args:
        make: builds the work in the child.
        deadline: seconds for a batch; a child that takes longer is killed.
    """

    def __init__(self, make: MakeWork, deadline: float) -> None:
        self._make = make
        self._deadline = deadline
        self._child: _Child | None = None
        self.deaths = 0
        """Children that died so far."""

    def judge(self, batch: pa.RecordBatch) -> Verdict:
        """Which rows of a batch that has killed processes before kill one on their own; at least one row.

        Raises:
            WorkerDied: a child dies before it has seen any row.
        """
        return judge_halves(batch, self._survive)

    def _survive(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._child is None:
            self._child = _Child(self._make)
        if not self._child.survives(batch, self._deadline):
            self._child.end()
            self._child = None
            self.deaths += 1
            raise WorkerCrashed(f"a process must survive a batch of {batch.num_rows} rows; got its death")
        return batch

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.end()


class _Child:
    def __init__(self, make: MakeWork) -> None:
        _CONTEXT.set_forkserver_preload(_PRELOADED)
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(make, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that its death closes the pipe
        if not self._answers(START_SECONDS):
            self.end()
            raise WorkerDied("a process for the trial of suspicious rows must start; got its death")

    def survives(self, batch: pa.RecordBatch, deadline: float) -> bool:
        """Whether the child answers after the batch."""
        try:
            self._pipe.send_bytes(_to_bytes(batch))
        except OSError:  # the other end is gone
            return False
        return self._answers(deadline)

    def _answers(self, seconds: float) -> bool:
        try:
            return self._pipe.poll(seconds) and self._pipe.recv_bytes() == ALIVE
        except (EOFError, OSError):
            return False

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(make: MakeWork, pipe: Connection) -> None:
    """The child: works on what comes and says that it is still there."""
    work = make()
    pipe.send_bytes(ALIVE)
    while True:
        try:
            batch = _from_bytes(pipe.recv_bytes())
        except EOFError:
            return
        # What raises is told apart by the parent, when it does the same work itself: here only survival counts.
        with suppress(Exception):
            work(batch)
        pipe.send_bytes(ALIVE)


def _to_bytes(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow ships no types


def _from_bytes(data: bytes) -> pa.RecordBatch:
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()
