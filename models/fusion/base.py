"""What every fusion promises: one forward(x, mask) whose result absent modalities cannot touch."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from models.spec import Spec


class Fused(NamedTuple):
    """What a fusion returns."""

    z: Tensor  # [B, F]
    shares: Tensor  # [B, M], >= 0, 0 where masked, rows sum to 1


class Fusion(nn.Module):
    """Fuses the embeddings that a row has; at least one modality must be present in every row."""

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor) -> Fused:
        """Fuse a batch.

        Args:
            x: `[B, M, D]` float32; modality m fills the first `inputs[m]` of D = max(inputs) places, zeros follow.
                What stands in a masked slot (also NaN) changes neither the result nor a gradient.
            mask: `[B, M]` bool, True where the modality is present.

        Returns:
            `z` `[B, F]` and `shares` `[B, M]`.
        """


class FusionSpec(Spec[Fusion]):
    """Describes a fusion; `inputs` is filled in from the job's encoders."""

    derived: ClassVar[frozenset[str]] = frozenset({"inputs"})

    dim: int = Field(default=256, ge=2, le=8192)
    """Width F of the fused vector."""
    seed: int = 0
    """Seed of the initial projections."""
    inputs: dict[str, int] = {}
    """Modality -> width of its embedding, in the order of the mask's columns."""


def keep_present(x: Tensor, mask: Tensor) -> Tensor:
    """`[B, M, D]` with masked slots set to zero by selection: NaN there reaches neither value nor gradient."""
    return torch.where(mask.unsqueeze(-1), x, torch.zeros((), dtype=x.dtype, device=x.device))


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the present modalities of each row: `[B, M]` logits and mask to `[B, M]` that sum to 1."""
    return torch.softmax(logits.masked_fill(~mask, float("-inf")), dim=-1)
