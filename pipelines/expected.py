"""How long the rows of a run will take, by what a sample of them took in one process and how the run is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Cost(NamedTuple):
    """What a row of the input takes of one core."""

    feeding: float
    """Reading, cleaning, recalling, fusing, scoring and writing, in seconds."""
    encoding: Mapping[str, float]
    """Modality -> seconds in its encoder; rows where it is absent or known count as none."""

    def seconds_per_row(self, cores: int, processes: int, workers: Mapping[str, int] | None) -> float:
        """What a row adds to the time of the run: as much as it takes wherever there is most to do.

        Args:
            cores: of the machine.
            processes: that read and clean.
            workers: modality -> cores that its workers use; None: encoders run inside the processes.
        """
        whole = self.feeding + sum(self.encoding.values())
        if workers is None:
            return whole / min(processes, cores)
        alone = [seconds / max(1, workers[name]) for name, seconds in self.encoding.items()]
        return max(whole / cores, self.feeding / processes, *alone)
