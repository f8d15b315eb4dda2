"""Processes below another one (Linux), and their end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

POLL_SECONDS: Final = 0.05
KILLED_SECONDS: Final = 2.0  # the kernel takes milliseconds, unless a device holds the process


class Member(NamedTuple):
    """A process; numbers of processes are used again, pairs of number and start are not."""

    pid: int
    started: str
    """Its start, in the kernel's ticks."""

    def lives(self) -> bool:
        """Whether it still runs; one that only waits for its parent to take notice does not."""
        with suppress(OSError):
            state, started = _stat(self.pid)
            return started == self.started and state != "Z"
        return False


def descendants(pid: int) -> list[Member]:
    """Processes started by `pid`, by their children and so on."""
    found: list[Member] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread or process ended while we looked
            for child in map(int, listing.read_text().split()):
                found += [Member(child, _stat(child)[1]), *descendants(child)]
    return found


def end(members: Iterable[Member], patience: float) -> None:
    """Wait for processes that are about to end, and kill those that have not after `patience` seconds."""
    left = _wait(members, patience)
    for member in left:
        with suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
    _wait(left, KILLED_SECONDS)


def _wait(members: Iterable[Member], seconds: float) -> Sequence[Member]:
    """Those that live after so many seconds."""
    deadline = time.monotonic() + seconds
    left = _living(members)
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = _living(left)
    return left


def _living(members: Iterable[Member]) -> Sequence[Member]:
    return [member for member in members if member.lives()]


def _stat(pid: int) -> tuple[str, str]:
    """State and start of a process: fields 3 and 22 of proc(5)'s stat; the name before them may hold blanks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[19]
