"""Calls to storage that are repeated while it is away for a moment, and given up when it stays away."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from models.errors import StorageAway

T = TypeVar("T")

TRANSIENT: Mapping[int, str] = {
    errno.EIO: "a soft mount's file server did not answer; a failing disk says the same, and goes on saying it",
    errno.EAGAIN: "the server is short of something for a moment (503 of an object store behind a mount)",
    errno.ETIMEDOUT: "no answer in time",
    errno.ESTALE: "the file server was restarted or failed over; the next look-up finds the file again",
    errno.EREMOTEIO: "the server itself met an I/O error",
    errno.ECONNRESET: "the connection to the server broke",
    errno.ECONNABORTED: "the connection to the server broke",
    errno.ECONNREFUSED: "the server is starting",
    errno.ENOTCONN: "a FUSE client has lost its server",
    errno.ENETDOWN: "the network is down",
    errno.ENETUNREACH: "the network is down",
    errno.ENETRESET: "the network was down",
    errno.EHOSTDOWN: "the server is down",
    errno.EHOSTUNREACH: "the server is down",
}
"""What may go away by itself, and why it comes. A full disk or a refused permission does not."""


def is_transient(error: OSError) -> bool:
    """Whether the same call may come through a moment later."""
    return error.errno in TRANSIENT


@dataclass(frozen=True)
class Patience:
    """How often a call is tried and how long it is waited in between: twice as long each time."""

    attempts: int = 7
    """With the pauses below, 3.15 s in all: a dropped packet or a short failover. The rest is the scheduler's (75)."""
    first_pause: float = 0.05
    """Seconds."""
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, call: Callable[[], T], path: Path) -> T:
        """What `call` gives, which must be such that a second time does no harm.

        Args:
            call: is called again after a transient error.
            path: what it is about, for the message.

        Raises:
            StorageAway: every attempt met a transient error.
            OSError: any other, at once.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                return call()
            except OSError as error:
                if not is_transient(error):
                    raise
                if attempt == self.attempts:
                    raise away(path, error, self.attempts) from error
            self.sleep(self.first_pause * 2 ** (attempt - 1))
        raise AssertionError("unreachable: the last attempt returns or raises")


def away(path: Path, error: OSError, attempts: int = 1) -> StorageAway:
    """The error for users that stands for a transient one that did not go away."""
    reason = os.strerror(error.errno or 0)
    often = f", {attempts} times" if attempts > 1 else ""
    return StorageAway(f"storage must answer for {path}; got {reason}{often}; run the same command again once it does")
