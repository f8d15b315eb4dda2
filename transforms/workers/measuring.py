"""Measures an op in processes of its own: rows/s of a layout, and the memory that one worker needs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from models.arrow import Int64
from models.batch import BatchOp, OpSpec
from models.errors import AmalgamError, MemoryExceeded, WorkerDied
from transforms.workers.base import built, run
from transforms.workers.layout import Layout
from transforms.workers.machine import peak_bytes
from transforms.workers.tally import use_threads

PASS_SECONDS: Final = 0.7  # for one figure: repeated, it stayed within 5 % on an idle machine
FIRST_ROWS: Final = 4  # before anything is timed, and to see how long a row takes
UNDISTURBED: Final = 0.85  # of a core: what a process gets when nothing but the system's own work is beside it
MOST_ROWS: Final = 1024  # of a pass: eight of the largest batches that are tried on GPUs
_SPAWN: Final = multiprocessing.get_context("spawn")  # no threads of Ray, gRPC or Arrow come along


class Sample(NamedTuple):
    """What the op is measured with."""

    rows: pa.RecordBatch
    """Cleaned values, none of them null."""
    costs: Sequence[float]
    """What each row costs, in the unit in which batches are bounded."""


class Question(NamedTuple):
    """What a measuring process is asked."""

    rows: int
    threads: int
    size: float
    """Bound of a batch's cost."""
    seconds: float


class Answer(NamedTuple):
    """What it found."""

    rate: float
    """Rows/s of this one process, while the others worked as well."""
    memory: int
    """Most bytes held so far: of the GPU where the op uses one, else of the process."""
    device_memory: int
    """Bytes of the GPU altogether; 0 without one."""
    core: float
    """Part of the time, 0 to 1, in which a core worked for it; several threads count as one."""


class Bench(AbstractContextManager["Bench"]):
    """Processes that hold an op each, as replicas would; they end with the `with` block, also when it is left early.

    Args:
        spec: the op.
        name: what users call it.
        sample: what it is measured with.
        replicas: most processes that will work side by side.
        left: gives the seconds that are left for all of it.
    """

    def __init__(self, spec: OpSpec, name: str, sample: Sample, replicas: int, left: Callable[[], float]) -> None:
        self._left = left
        self._children = [_Child(spec, name, sample) for _ in range(replicas)]
        self._rows = FIRST_ROWS
        self.memory = 0
        """Most bytes that one replica held."""
        self.device_memory = 0
        """Bytes of the GPU; 0 without one."""
        self._least_core = 1.0

    @property
    def disturbed(self) -> bool:
        """Whether other programs took so much of the cores that the figures say little about this machine."""
        return not self.device_memory and self._least_core < UNDISTURBED

    def __enter__(self) -> Bench:
        """Wait until the op is loaded in every process.

        Raises:
            WorkerDied: a process ends, or time is up.
            AmalgamError: the op cannot be built or run.
        """
        try:
            rates = [float(child.hear(self._left())) for child in self._children]
        except BaseException:
            self._end()
            raise
        self._rows = int(min(max(min(rates) * PASS_SECONDS, 2 * FIRST_ROWS), MOST_ROWS))
        return self

    def rate(self, layout: Layout, size: float) -> float:
        """Rows/s of all replicas of a layout together, with batches that cost at most `size`.

        Raises:
            WorkerDied: a process ends, or time is up.
            MemoryExceeded: a batch did not fit.
        """
        working = self._children[: layout.replicas]
        for child in working:
            child.ask(Question(self._rows, layout.threads, size, PASS_SECONDS))
        answers = [child.hear(self._left()) for child in working]  # all of them: each may be asked again
        for answer in answers:
            if isinstance(answer, MemoryExceeded):
                raise answer
            self.memory = max(self.memory, answer.memory)
            self.device_memory = max(self.device_memory, answer.device_memory)
            self._least_core = min(self._least_core, answer.core)
        return float(sum(answer.rate for answer in answers))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for child in self._children:
            child.end()


class _Child:
    def __init__(self, spec: OpSpec, name: str, sample: Sample) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(spec, name, sample, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that its death closes the pipe

    def ask(self, question: Question) -> None:
        try:
            self._pipe.send(question)
        except OSError as error:
            raise WorkerDied("a measuring process must live until it is done; got its death") from error

    def hear(self, seconds: float) -> Any:
        """What the child says next; raises what it raised, unless a smaller batch may fit."""
        try:
            if not self._pipe.poll(max(0.0, seconds)):
                raise WorkerDied("a measurement must be done in time; got none within workers.measuring")
            said = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerDied("a measuring process must live until it is done; got its death") from error
        if isinstance(said, Exception) and not isinstance(said, MemoryExceeded):
            raise said
        return said

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(spec: OpSpec, name: str, sample: Sample, pipe: Connection) -> None:
    """The child: builds the op, then answers until the pipe is closed."""
    os.environ["RAYON_NUM_THREADS"] = "1"  # tokenizers would take every core
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted command ends it by itself, without a traceback
    try:
        op = built(spec, name)
        first = sample.rows.slice(0, FIRST_ROWS)
        run(op, first)  # the first batch also loads kernels
        pipe.send(first.num_rows / _timed(lambda: run(op, first)))  # rows/s: how much to measure with, no more
        while True:
            pipe.send(_answer(op, sample, pipe.recv()))
    except (EOFError, BrokenPipeError):  # the parent is gone, or has heard enough
        return
    except AmalgamError as error:
        pipe.send(error)
    except Exception as error:  # noqa: BLE001  (whatever the op raises is told to the parent, which goes on without)
        pipe.send(WorkerDied(f"{type(error).__name__}: {error}"))


def _answer(op: BatchOp, sample: Sample, question: Question) -> Answer | MemoryExceeded:
    try:
        return answered(lambda rows: run(op, rows), sample, question)
    except MemoryExceeded as error:
        return error


def answered(op: Callable[[pa.RecordBatch], object], sample: Sample, question: Question) -> Answer:
    """Rows/s of an op: rows sorted by cost and cut into batches, as encoders do it, as often as time allows."""
    batches = cut(sample, question.rows, question.size)
    use_threads(question.threads)
    began, worked, passes = time.perf_counter(), time.process_time(), 0
    while not passes or time.perf_counter() - began < question.seconds:
        for batch in batches:
            op(batch)
        passes += 1
    seconds = time.perf_counter() - began
    return Answer(passes * question.rows / seconds, *_memory(), core=min(1.0, (time.process_time() - worked) / seconds))


def cut(sample: Sample, rows: int, size: float) -> list[pa.RecordBatch]:
    """So many rows of the sample, its own again and again, most expensive first, in batches of at most `size`.

    A batch costs as many times its first row as it has rows: that is what padding makes of it.
    """
    taken: Int64 = np.arange(rows) % sample.rows.num_rows
    costs = np.asarray(sample.costs)[taken]
    order = np.argsort(-costs, kind="stable")
    batches, start = [], 0
    while start < rows:
        count = max(1, int(min(size / costs[order[start]], rows)))
        batches.append(sample.rows.take(pa.array(taken[order[start : start + count]])))
        start += count
    return batches


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _memory() -> tuple[int, int]:
    """Most bytes held by this process, and those of its GPU; of the GPU's where it uses one."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_reserved()), int(torch.cuda.mem_get_info()[1])
    return peak_bytes(), 0
