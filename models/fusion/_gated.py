"""Gated fusion as a torch module; `gated` describes it."""

from __future__ import annotations

import torch
from torch import Tensor

from models.fusion.base import Fused, Fusion, Projections, seeded
from models.fusion.gated import GatedSpec
from models.layers import Linear

# Gates start close to equal weights, as a mean of the modalities.
INITIAL_GATE_SCALE = 0.1


class GatedFusion(Fusion):
    """Gates see all present modalities and which are present."""

    def __init__(self, spec: GatedSpec) -> None:
        super().__init__()
        modalities, self.dim = len(spec.inputs), spec.dim
        self.projections = Projections(spec.inputs, spec.dim, spec.seed, trained=spec.trained)
        with seeded(spec.seed):
            self.gates = Linear(modalities * (spec.dim + 1), modalities * spec.dim)
        with torch.no_grad():
            self.gates.weight.mul_(INITIAL_GATE_SCALE)
            self.gates.bias.zero_()

    def forward(self, x: Tensor, mask: Tensor) -> Fused:
        """See `Fusion.forward`; the shares are the gates' means over coordinates."""
        parts = self.projections(x, mask)  # [B, M, F], 0 where masked
        seen = torch.cat([parts.flatten(1), mask.to(parts.dtype)], dim=1)  # [B, M·F + M]
        logits = self.gates(seen).unflatten(1, (-1, self.dim))  # [B, M, F]
        gates = torch.softmax(logits.masked_fill(~mask.unsqueeze(-1), float("-inf")), dim=1)  # [B, M, F]
        return Fused((gates * torch.tanh(parts)).sum(dim=1), gates.mean(dim=-1), parts)

    def observe(self, x: Tensor, mask: Tensor) -> None:
        """See `Fusion.observe`."""
        self.projections.observe(x, mask)
