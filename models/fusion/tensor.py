"""Low-rank tensor fusion: products over modalities of linear functions of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.errors import ConfigError
from models.fusion._spec import FusionSpec

if TYPE_CHECKING:
    from models.fusion.base import Fusion


class TensorSpec(FusionSpec):
    """z = Σ_r w_r Π_m ([1; h_m] F_mr) + b: what modalities mean together, in any combination, at a low rank.

    Liu et al. 2018 (arXiv:1806.00064). An absent modality's factor is 1, so that the others keep their product.
    """

    kind: ClassVar[str] = "tensor"

    rank: int = Field(default=8, ge=1, le=256)
    """Products that are added."""

    def build(self) -> Fusion:
        """The fusion with its seeded projections and factors.

        Raises:
            ConfigError: `inputs` is empty.
        """
        if not self.inputs:
            raise ConfigError("inputs must name at least one modality; got none")
        from models.fusion._tensor import TensorFusion

        return TensorFusion(self)
