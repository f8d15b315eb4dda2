"""Functions run in processes of their own, forked from one that has imported everything: a start costs milliseconds."""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

FORK: Final = multiprocessing.get_context("fork")
"""A forked process starts with the modules of its parent. The parent must not have started any library's threads."""

_MODULES: Final = (
    "apache_beam.runners.portability.fn_api_runner",
    "dask.dataframe",
    "models.ops",
    "pipelines.execute",
    "pipelines.report",
    "pipelines.run",
    "pipelines.verify",
    "pyarrow.dataset",
    "torch",
)
"""What a night, a check and a watcher load, slowest first."""


@dataclass(frozen=True)
class Ended:
    """How a forked process ended."""

    code: int
    """Exit status; minus the number of the signal that killed it."""
    value: Any
    """What the function gave; None if it was killed or raised."""
    error: str = ""
    """The traceback, if it raised."""
    hung: bool = False
    """Whether it was killed because it had not ended in time."""

    @property
    def killed(self) -> bool:
        """Whether kill -9 ended it."""
        return self.code == -signal.SIGKILL


def preload() -> None:
    """Import what forked processes will need."""
    for module in _MODULES:
        importlib.import_module(module)


def forked(function: Callable[..., Any], *arguments: Any, timeout: float | None = None) -> Ended:
    """Call the function in a process of its own and wait for its end.

    Args:
        function: gives a picklable value.
        arguments: of the function.
        timeout: seconds after which the process is killed.
    """
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_send_result, args=(sender, function, *arguments))
    process.start()
    sender.close()
    hung = not receiver.poll(timeout)  # its end counts as an answer
    if hung:
        process.kill()
    value, error = _received(receiver)
    process.join()
    return Ended(int(process.exitcode or 0), value, error, hung)


@contextmanager
def beside(function: Callable[..., Any], *arguments: Any) -> Iterator[Callable[[], Ended]]:
    """Run `function(wait, *arguments)` in a process of its own beside the block.

    `wait()` says that the function is ready, which the block waits for, and returns when the block asks for the end.

    Yields:
        Asks for the end and waits for it.
    """
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=_send_result, args=(theirs, function, _Signals(theirs), *arguments))
    process.start()
    theirs.close()
    try:
        ready = ours.recv()

        def end() -> Ended:
            if ready is None:
                ours.send(None)
            value, error = _received(ours) if ready is None else ready
            process.join()
            return Ended(int(process.exitcode or 0), value, error)

        yield end
    finally:
        ours.close()  # a function that still waits gets an EOFError
        process.join()


@dataclass(frozen=True)
class _Signals:
    """Tells the parent that it may go on, then waits for it."""

    pipe: Connection

    def __call__(self) -> None:
        self.pipe.send(None)
        self.pipe.recv()


def _send_result(sender: Connection, function: Callable[..., Any], *arguments: Any) -> None:
    try:
        sender.send((function(*arguments), ""))
    except BaseException:  # told to the parent, whatever it is; the exit status says so too
        sender.send((None, traceback.format_exc()))
        raise
    finally:
        sender.close()


def _received(receiver: Connection) -> tuple[Any, str]:
    try:
        value, error = receiver.recv()
    except EOFError:  # it was killed
        return None, ""
    return value, error
