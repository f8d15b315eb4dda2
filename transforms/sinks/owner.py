"""Which process holds something, in terms that another process can check."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_UNKNOWN = ""


@dataclass(frozen=True)
class Owner:
    """A process, told apart from every other one that ever had its number."""

    host: str
    boot: str
    """The machine's start, and the process-number namespace (containers of one machine have their own)."""
    pid: int
    started: str
    """Ticks from the machine's start to the process's; empty where there is no /proc."""

    @classmethod
    def this_process(cls) -> Owner:
        """The calling process."""
        pid = os.getpid()
        return cls(socket.gethostname(), _this_boot(), pid, _started(pid) or _UNKNOWN)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Owner:
        """From `dataclasses.asdict`."""
        return cls(**value)

    def same_machine(self, other: Owner) -> bool:
        """Whether both processes run (or ran) on one machine since one start of it."""
        return bool(self.boot) and (self.host, self.boot) == (other.host, other.boot)

    def is_dead(self, seen_from: Owner) -> bool:
        """Whether the process is certainly gone; False where `seen_from` cannot know."""
        if not self.same_machine(seen_from) or not self.started:
            return False
        return _started(self.pid) != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _this_boot() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return _UNKNOWN  # not Linux: leases of dead processes then end by expiry alone


def _started(pid: int) -> str | None:
    """Start time of a living process from /proc/<pid>/stat, or None; see proc_pid_stat(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the command in brackets and may hold anything, so count from the last bracket: field 3 is
    # the state, field 22 the start time.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZXx" else started  # a zombie does nothing any more
