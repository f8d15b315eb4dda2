"""Beam's worker processes on this machine: notices when one dies, and ends those that are left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from models.errors import WorkerCrashed
from transforms.workers.family import descendants

T = TypeVar("T")

POLL_SECONDS: Final = 0.5
END_SECONDS: Final = 5.0  # a pipeline without workers ends within a second; one that hangs goes with this process
# What worker processes are started with: by us, and by Beam's own FnApiRunner when a user names that.
WORKERS: Final = (b"pipelines.beam_worker", b"apache_beam.runners.worker.sdk_worker_main")
EXITED: Final = "Worker subprocess exited with return code"  # what the thread that waits for one raises


def run_watched(work: Callable[[], T]) -> T:
    """`work()`, which runs a pipeline on worker processes of its own, unless one of them dies.

    FnApiRunner waits for ever for the results of a process that was killed (by the kernel when memory runs out, say):
    only the thread that waits for the process fails. So the pipeline runs on a thread too, and this one listens.

    Raises:
        WorkerCrashed: a worker process ended with an error; the others have been ended.
        BaseException: what `work` raised, or what a signal handler raised here; no worker process is left then.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001  (carried to the waiting thread, whatever it is)
            failure.append(error)

    thread = threading.Thread(target=target, name="pipeline", daemon=True)
    with deaths() as died:
        thread.start()
        try:
            while thread.is_alive() and not died:
                thread.join(POLL_SECONDS)
        finally:
            _end(thread)
    if failure:
        raise failure[0]
    if outcome:
        return outcome[0]
    raise WorkerCrashed(f"every worker process must live until the pipeline ends; got: {died[0]}")


def _end(pipeline: threading.Thread) -> None:
    """Kill the workers until the pipeline's thread gives up, so that the ends which follow are heard, not printed.

    Again and again, because a worker may just be starting, and the kernel's list of children is not exact while some
    of them end.
    """
    deadline = time.monotonic() + END_SECONDS
    while pipeline.is_alive() and time.monotonic() < deadline:
        end_workers()
        pipeline.join(POLL_SECONDS)


@contextmanager
def deaths() -> Iterator[list[str]]:
    """A list that grows with each worker process that ends with an error."""
    died: list[str] = []
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if EXITED in str(args.exc_value):
            died.append(str(args.exc_value))
        else:
            before(args)

    threading.excepthook = hook
    try:
        yield died
    finally:
        threading.excepthook = before


def end_workers() -> None:
    """Kill the Beam worker processes below this one: what they had not finished is done again by the next run."""
    for process in descendants(os.getpid()):
        with suppress(OSError):
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            if any(worker in command for worker in WORKERS):
                os.kill(process.pid, signal.SIGKILL)
