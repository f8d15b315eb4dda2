"""Weighted sum: z = Σ a_m h_m, with the weights renormalized over the modalities that a row has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from models.errors import ConfigError
from models.fusion._spec import FusionSpec
from models.spec import nearest

if TYPE_CHECKING:
    from models.fusion.base import Fusion

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class WeightedSumSpec(FusionSpec):
    """z = Σ a_m h_m over present modalities: simple, robust, and the default."""

    kind: ClassVar[str] = "weighted_sum"

    mode: Literal["static", "fixed"] = "static"
    """`static`: the weights are a trained softmax that starts at `weights`; `fixed`: they stay `weights`."""
    weights: dict[str, Weight] = {}
    """Modality -> weight, at least 0 and not all 0; a modality that is not named has weight 1."""

    @model_validator(mode="after")
    def _names_known(self) -> WeightedSumSpec:
        if self.inputs and (problem := self._problem()):
            raise ValueError(problem)
        return self

    def _problem(self) -> str | None:
        unknown = [name for name in self.weights if name not in self.inputs]
        if unknown:
            name = unknown[0]
            return (
                f"weights must name modalities of the job; got {name!r}{nearest(name, self.inputs)}; "
                f"known modalities: {', '.join(self.inputs)}"
            )
        if all(self.weights.get(name, 1.0) == 0 for name in self.inputs):
            return f"weights must be above 0 for at least one modality; got {self.weights}"
        return None

    def build(self) -> Fusion:
        """The fusion with its seeded projections.

        Raises:
            ConfigError: `weights` names an unknown modality, or leaves none with a weight above 0.
        """
        if problem := self._problem():
            raise ConfigError(problem)
        from models.fusion._weighted_sum import WeightedSumFusion

        return WeightedSumFusion(self)
