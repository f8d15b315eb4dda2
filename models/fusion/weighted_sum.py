"""Weighted sum: z = Σ a_m h_m, with the weights renormalized over the modalities that a row has."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from models.errors import ConfigError
from models.fusion.base import Fused, Fusion, FusionSpec, Projections, masked_softmax
from models.spec import nearest

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
        return WeightedSumFusion(self)


class WeightedSumFusion(Fusion):
    """a = softmax over present of log w_m: the weights, divided by the sum of those present.

    A row that has only modalities of weight 0 is fused from these in equal parts: it has nothing else.
    """

    def __init__(self, spec: WeightedSumSpec) -> None:
        super().__init__()
        weights = torch.tensor([spec.weights.get(name, 1.0) for name in spec.inputs])  # [M]
        self.projections = Projections(spec.inputs, spec.dim, spec.seed, trained=spec.trained)
        self.register_buffer("positive", weights > 0, persistent=False)
        log_weights = torch.where(weights > 0, weights, torch.ones_like(weights)).log()
        self.log_weights = nn.Parameter(log_weights, requires_grad=spec.mode == "static")  # [M]

    def forward(self, x: Tensor, mask: Tensor) -> Fused:
        """See `Fusion.forward`; the shares are the weights a."""
        parts = self.projections(x, mask)  # [B, M, F]
        shares = masked_softmax(self.log_weights.expand(mask.shape), self._counted(mask))  # [B, M]
        return Fused((shares.unsqueeze(-1) * parts).sum(dim=1), shares, parts)

    def observe(self, x: Tensor, mask: Tensor) -> None:
        """See `Fusion.observe`."""
        self.projections.observe(x, mask)

    def _counted(self, mask: Tensor) -> Tensor:
        """`[B, M]`: the present modalities of positive weight or, in rows without any, all present ones."""
        positive = mask & self.get_buffer("positive")
        return torch.where(positive.any(dim=-1, keepdim=True), positive, mask)
