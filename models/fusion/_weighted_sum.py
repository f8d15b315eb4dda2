"""Weighted sum as a torch module; `weighted_sum` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.fusion.base import Fused, Fusion, Projections, masked_softmax
from models.fusion.weighted_sum import WeightedSumSpec


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
