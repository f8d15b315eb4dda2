"""What a bare encoder is: decoding, and forward passes over what was prepared beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

Inputs = Mapping[str, torch.Tensor]


class Bare(Protocol):
    """One modality's decoder and model, without a pipeline."""

    def decode(self, values: Sequence[Any]) -> list[Any]:
        """What the model's processor starts from: token numbers, pixels, samples; one for each value."""
        ...

    def lengths(self, values: Sequence[Any]) -> npt.NDArray[np.int64]:
        """`[n]` what a value costs the model, for sorting: tokens, samples; alike for pictures."""
        ...

    def inputs(self, decoded: Sequence[Any]) -> Inputs:
        """A batch as the model takes it, padded to its longest."""
        ...

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """The model's last states `[B, T, D]`."""
        ...
