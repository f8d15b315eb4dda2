"""Values of unlike lengths in one flat array; filled up with zeros where some of them are computed together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrow import Int64

# Lengths that blocks are filled up to: two per octave, so that at most a third of a block is padding.
LADDER = np.array([1, *sorted(rung << octave for octave in range(20) for rung in (16, 24))])


@dataclass(frozen=True)
class Sequences:
    """n values, each of them some steps of k numbers."""

    steps: npt.NDArray[Any]  # [steps of all values, k]
    offsets: Int64  # [n + 1] where each value starts

    @classmethod
    def of_one_step(cls, matrix: npt.NDArray[Any]) -> Sequences:
        """`[n, k]`: each row is a value of one step."""
        return cls(matrix, np.arange(len(matrix) + 1))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64:
        """`[n]` steps of each value."""
        return np.diff(self.offsets)

    def padded(self, rows: Int64, width: int) -> npt.NDArray[Any]:
        """`[B, width, k]` the values of these numbers, zeros behind them; what is longer than `width` is cut."""
        out = np.zeros((len(rows), width, self.steps.shape[1]), self.steps.dtype)
        place = np.arange(width)
        filled = place < self.lengths[rows][:, None]  # [B, width]
        out[filled] = self.steps[(self.offsets[rows][:, None] + place)[filled]]
        return out


def rounded_up(lengths: Int64) -> Int64:
    """The next rung of LADDER, from each length alone: how wide a value is computed never depends on others."""
    rungs: Int64 = LADDER[np.searchsorted(LADDER, lengths)]
    return rungs
