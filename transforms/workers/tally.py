"""Adds up what an op does in one process: batches, seconds at work, seconds of waiting for the next batch, padding."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.batch import BatchOp
from models.encoders.base import Padded, Waste
from transforms.workers.base import Usage


class Tally:
    """The account of one op in one process.

    Args:
        look: gives the state of the GPU, if there is one, as a Usage of one look.
        clock: steady seconds.
    """

    def __init__(self, look: Callable[[], Usage] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look or look_at_gpu
        self._clock = clock
        self._ended: float | None = None
        self._wasted = Waste()
        self._adding = threading.Lock()  # a runner's threads share the ops of their process
        self.total = Usage()
        """Everything so far."""

    @contextmanager
    def batch(self, op: BatchOp, rows: int) -> Iterator[None]:
        """While the op is at a batch of so many rows; one that fails counts as well, since it took its time."""
        began = self._clock()
        try:
            yield
        finally:
            self._add(op, rows, began, self._clock())

    def _add(self, op: BatchOp, rows: int, began: float, ended: float) -> None:
        with self._adding:
            idle = 0.0 if self._ended is None else max(0.0, began - self._ended)
            before, self._wasted = self._wasted, op.waste() if isinstance(op, Padded) else Waste()
            computed, real = self._wasted.padded - before.padded, self._wasted.real - before.real
            done = Usage(1, rows, ended - began, idle, computed, real)
            self.total = self.total.plus(done).plus(self._look())
            self._ended = ended


def look_at_gpu() -> Usage:
    """Memory and utilization of this process's GPU; nothing where torch is not loaded, or has not used one."""
    torch = sys.modules.get("torch")  # not imported for this: an op without torch has no GPU
    if torch is None or not torch.cuda.is_initialized():
        return Usage()
    memory = int(torch.cuda.max_memory_allocated())
    try:
        return Usage(gpu_memory=memory, gpu_busy=torch.cuda.utilization() / 100, gpu_looks=1)
    except (ImportError, RuntimeError):  # without nvidia-ml-py, or with a driver that does not say
        return Usage(gpu_memory=memory)


def use_threads(threads: int) -> None:
    """Let torch, if the process uses it, work with so many threads; one is what the program asks for anyhow."""
    torch = sys.modules.get("torch")
    if torch is not None and threads > 1:
        torch.set_num_threads(threads)


def use_gpu_memory(share: float | None) -> None:
    """Let torch take no more than this share of the GPU's memory, so that one encoder's cache starves no other."""
    torch = sys.modules.get("torch")
    if torch is not None and share is not None and torch.cuda.is_initialized():
        torch.cuda.set_per_process_memory_fraction(share)
