"""Low-rank tensor fusion as a torch module; `tensor` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.fusion.base import Fused, Fusion, Projections, norm_shares, seeded
from models.fusion.tensor import TensorSpec
from models.layers import Linear

# Factors start near 1: their product over modalities then neither vanishes nor explodes, and is nearly a sum.
INITIAL_FACTOR_SCALE = 0.3


class TensorFusion(Fusion):
    """The share of a modality is how far its factors are from 1, by their norm."""

    def __init__(self, spec: TensorSpec) -> None:
        super().__init__()
        self.shape = (spec.rank, spec.dim)
        self.projections = Projections(spec.inputs, spec.dim, spec.seed, trained=spec.trained)
        with seeded(spec.seed):
            self.factors = nn.ModuleList(Linear(spec.dim, spec.rank * spec.dim) for _ in spec.inputs)
            self.weights = nn.Parameter(torch.randn(spec.rank) / spec.rank**0.5)  # [R]
        with torch.no_grad():
            for factor in self.factors:
                assert isinstance(factor, Linear)
                factor.weight.mul_(INITIAL_FACTOR_SCALE)
                factor.bias.fill_(1.0)
        self.bias = nn.Parameter(torch.zeros(spec.dim))  # [F]

    def forward(self, x: Tensor, mask: Tensor) -> Fused:
        """See `Fusion.forward`."""
        parts = self.projections(x, mask)  # [B, M, F]
        factors = torch.stack([factor(parts[:, m]) for m, factor in enumerate(self.factors)], dim=1)  # [B, M, R·F]
        factors = torch.where(mask.unsqueeze(-1), factors, torch.ones(()))
        products = factors.prod(dim=1).view(-1, *self.shape)  # [B, R, F]
        z = (self.weights[:, None] * products).sum(dim=1) + self.bias  # [B, F]
        return Fused(z, norm_shares((factors - 1).detach(), mask), parts)

    def observe(self, x: Tensor, mask: Tensor) -> None:
        """See `Fusion.observe`."""
        self.projections.observe(x, mask)
