"""How many worker processes help on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from transforms.modalities.base import ModalitySpec

PROCESS_SECONDS: Final = 8.0
"""What starting a worker process takes of one core (Beam, torch); it should have as much to do: docs/runners.md."""
ROW_SECONDS: Final = 3.2e-3
"""What a row takes of one core where its encoders, such as need no weights, run in the same process."""
REST_SECONDS: Final = 1e-4
"""What a row takes beside cleaning and encoding: reading, recalling, fusing, scoring, writing."""


def helpful_processes(rows: int, row_seconds: float = ROW_SECONDS) -> int:
    """As many worker processes as make a run over so many rows faster on this machine.

    Args:
        rows: of the run.
        row_seconds: what a row takes of one core in these processes.
    """
    return max(1, min(cores(), int(rows * row_seconds / PROCESS_SECONDS)))


def row_seconds(modalities: Iterable[ModalitySpec], *, inline: bool) -> float:
    """About what a row takes of one core in the processes that read and clean.

    Args:
        modalities: of the job.
        inline: whether encoders run there too.
    """
    return ROW_SECONDS if inline else REST_SECONDS + sum(modality.cleaning_seconds for modality in modalities)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
