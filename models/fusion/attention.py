"""Attention: a small transformer over the modalities of a row, read at a learned summary token."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.errors import ConfigError
from models.fusion._spec import FusionSpec

if TYPE_CHECKING:
    from models.fusion.base import Fusion


class AttentionSpec(FusionSpec):
    """z = the summary token after pre-norm transformer layers over [summary, h_m + type_m …]; absent ones are masked.

    The summary starts at the mean of the present h_m. Vaswani et al. 2017 (arXiv:1706.03762), with normalization before
    each step (Xiong et al. 2020, arXiv:2002.04745).
    """

    kind: ClassVar[str] = "attention"
    rate: ClassVar[float] = 0.3

    layers: int = Field(default=1, ge=1, le=8)
    """Transformer layers."""
    heads: int = Field(default=4, ge=1, le=64)
    """Attention heads, at most: as many as divide `dim`."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of each step's output that is left out at random, in training only."""

    @property
    def used_heads(self) -> int:
        """The largest number up to `heads` that divides `dim`."""
        return max(count for count in range(1, self.heads + 1) if self.dim % count == 0)

    def build(self) -> Fusion:
        """The fusion with its seeded projections and layers.

        Raises:
            ConfigError: `inputs` is empty.
        """
        if not self.inputs:
            raise ConfigError("inputs must name at least one modality; got none")
        from models.fusion._attention import AttentionFusion

        return AttentionFusion(self)
