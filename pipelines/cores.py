"""How many worker processes help on this machine."""

from __future__ import annotations

import os
from typing import Final

# A worker process costs some 8 s of a core to start (Beam, torch), in which another one does 2,500 rows of the retail
# night: see docs/runners.md.
ROWS_PER_PROCESS: Final = 2500


def helpful_processes(rows: int) -> int:
    """As many worker processes as make a run over so many rows faster on this machine."""
    return max(1, min(cores(), rows // ROWS_PER_PROCESS))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
