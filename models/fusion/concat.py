"""Concatenation: z = P u + MLP([u; k]), u the modalities' vectors side by side, a learned vector for an absent one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.errors import ConfigError
from models.fusion._spec import FusionSpec

if TYPE_CHECKING:
    from models.fusion.base import Fusion


class ConcatSpec(FusionSpec):
    """z = P u + MLP([u; k]) with u = [k_m h_m + (1 − k_m) e_m …]: can learn what modalities mean together."""

    kind: ClassVar[str] = "concat"

    hidden: int = Field(default=128, ge=1, le=8192)
    """Width of the MLP's hidden layer; without training (`trained: false`) there is no MLP, only P."""

    def build(self) -> Fusion:
        """The fusion with its seeded projections.

        Raises:
            ConfigError: `inputs` is empty.
        """
        if not self.inputs:
            raise ConfigError("inputs must name at least one modality; got none")
        from models.fusion._concat import ConcatFusion

        return ConcatFusion(self)
