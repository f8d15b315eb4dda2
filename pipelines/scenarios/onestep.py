"""Episodes of one step: each decision stands for itself, so what every action would bring is known at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.scenarios.base import Acted
from pipelines.scenarios.streams import Bools, Floats, Ints


@dataclass(frozen=True)
class OneStep:
    """Decisions that have no consequences beyond their own reward."""

    batch: pa.RecordBatch
    mask: Bools
    """`[n, A]` what is allowed."""
    expected: Floats
    """`[n, A]` expected reward of every action, given all that is hidden."""

    def records(self) -> pa.RecordBatch:
        """The rows."""
        return self.batch

    def allowed(self) -> Bools:
        """`[n, A]`"""
        return self.mask

    def act(self, action: Ints) -> Acted:
        """The expected reward of each row's action; then it is over."""
        reward = np.take_along_axis(self.expected, action[:, None], axis=1)[:, 0]
        nothing = OneStep(self.batch.slice(0, 0), self.mask[:0], self.expected[:0])
        return Acted(reward, np.zeros(len(action), dtype=np.bool_), nothing)
