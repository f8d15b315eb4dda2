"""What time it is, for leases: the system's clocks, and one that tests set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Two clocks, in seconds."""

    def wall(self) -> float:
        """Since 1970 (UTC); comparable between machines, but may be set and may jump."""
        ...

    def steady(self) -> float:
        """Since this machine's start; never set, the same in all its processes."""
        ...


class SystemClock:
    """The operating system's clocks."""

    def wall(self) -> float:
        """Since 1970 (UTC)."""
        return time.time()

    def steady(self) -> float:
        """Since this machine's start."""
        return time.monotonic()


@dataclass
class FakeClock:
    """Stands still until told; shipped for tests."""

    wall_seconds: float = 1_700_000_000.0
    steady_seconds: float = 1_000.0

    def wall(self) -> float:
        """What was set."""
        return self.wall_seconds

    def steady(self) -> float:
        """What was set."""
        return self.steady_seconds

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall_seconds += seconds
        self.steady_seconds += seconds
