"""Late fusion: every modality is scored by itself, and the heads pool the scores: the baseline that is hard to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from models.errors import ConfigError
from models.fusion._spec import FusionSpec
from models.late import Late, PoolName

if TYPE_CHECKING:
    from models.fusion.base import Fusion


class LateSpec(FusionSpec):
    """z = [h_1 … h_M; k], side by side and unmixed; a label head has a net per modality, and pools what these say.

    Nets are trained and calibrated one by one, and an absent modality says nothing. (A decision head reads z as it is.)
    """

    kind: ClassVar[str] = "late"
    derived: ClassVar[frozenset[str]] = FusionSpec.derived | {"dim"}

    width: int = Field(default=64, ge=1, le=1024)
    """Width of each modality's own vector; `fused` is as many times as long as there are modalities, and their mask."""
    pool: PoolName = "product"
    """`product`: evidence adds up, as if modalities were independent given the label, and one that knows nothing
    changes nothing; `mean`: it is averaged."""

    @model_validator(mode="before")
    @classmethod
    def _dim_follows(cls, settings: Any) -> Any:
        """`dim` from the width and the number of modalities."""
        if not isinstance(settings, Mapping):
            return settings
        width, inputs = settings.get("width", cls.model_fields["width"].default), settings.get("inputs", {})
        if not isinstance(width, int) or not inputs:
            return {name: value for name, value in settings.items() if name != "dim"}
        return {**settings, "dim": len(inputs) * (width + 1)}

    @property
    def late(self) -> Late:
        """Where each modality's vector stands in z."""
        return Late(modalities=len(self.inputs), width=self.width, pool=self.pool)

    def build(self) -> Fusion:
        """The fusion with its seeded projections.

        Raises:
            ConfigError: `inputs` is empty.
        """
        if not self.inputs:
            raise ConfigError("inputs must name at least one modality; got none")
        from models.fusion._late import LateFusion

        return LateFusion(self)
