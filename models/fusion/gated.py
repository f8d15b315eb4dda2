"""Gated fusion: z = Σ g_m ⊙ tanh(h_m), a gate per modality and coordinate."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from models.errors import ConfigError
from models.fusion._spec import FusionSpec

if TYPE_CHECKING:
    from models.fusion.base import Fusion


class GatedSpec(FusionSpec):
    """z = Σ g_m ⊙ tanh(h_m), g = softmax over present modalities of U [k·h; k], coordinate by coordinate.

    The gated multimodal unit of Arevalo et al. 2017 (arXiv:1702.01992) for any number of modalities: each row decides
    for itself, and for each coordinate, which modality to believe.
    """

    kind: ClassVar[str] = "gated"

    def build(self) -> Fusion:
        """The fusion with its seeded projections and gates.

        Raises:
            ConfigError: `inputs` is empty.
        """
        if not self.inputs:
            raise ConfigError("inputs must name at least one modality; got none")
        from models.fusion._gated import GatedFusion

        return GatedFusion(self)
