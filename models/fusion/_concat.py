"""Concatenation as a torch module; `concat` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.fusion.base import Fused, Fusion, Projections, norm_shares, orthogonal, seeded
from models.fusion.concat import ConcatSpec
from models.layers import Linear, linear

# The MLP starts as a tenth of the linear path, so that training begins near the plain projection.
INITIAL_MLP_SCALE = 0.1


class ConcatFusion(Fusion):
    """A linear path, which is the seeded orthogonal projection before training, and an MLP beside it.

    u [B, M·F] ──┬── P ────────────────── + ── z [B, F]
    k [B, M] ────┴── U ── GELU ── V ──────┘

    The share of modality m is ‖P_m u_m‖ / Σ over present of ‖P_j u_j‖, P_m the columns of P that read block m:
    its part in the linear path. (If all of these are zero, the present modalities share equally.)
    """

    def __init__(self, spec: ConcatSpec) -> None:
        super().__init__()
        names, dim = list(spec.inputs), spec.dim
        self.projections = Projections(spec.inputs, dim, spec.seed, trained=spec.trained)
        self.absent = nn.Parameter(torch.zeros(len(names), dim))  # [M, F], e_m
        blocks = [orthogonal(dim, dim, spec.seed, f"concat {name}") for name in names]
        # P_m, output coordinate first. P stays as it is: W_m, which is trained, can express any linear path through it.
        self.register_buffer("blocks", torch.stack(blocks) / len(names))  # [M, F, F]
        self.mlp = _mlp(len(names), spec) if spec.trained else None

    def forward(self, x: Tensor, mask: Tensor) -> Fused:
        """See `Fusion.forward`."""
        parts = self.projections(x, mask)  # [B, M, F]
        u = torch.where(mask.unsqueeze(-1), parts, self.absent)  # [B, M, F]
        blocks = self.get_buffer("blocks")
        contributions = torch.stack([linear(u[:, m], block) for m, block in enumerate(blocks)], dim=1)  # [B, M, F]
        z = contributions.sum(dim=1)  # [B, F]
        if self.mlp is not None:
            z = z + self.mlp(torch.cat([u.flatten(1), mask.to(u.dtype)], dim=1))
        return Fused(z, norm_shares(contributions.detach(), mask), parts)

    def observe(self, x: Tensor, mask: Tensor) -> None:
        """See `Fusion.observe`."""
        self.projections.observe(x, mask)


def _mlp(modalities: int, spec: ConcatSpec) -> nn.Module:
    """U, GELU, V; seeded, whatever the state of torch's global generator."""
    with seeded(spec.seed):
        first, last = Linear(modalities * (spec.dim + 1), spec.hidden), Linear(spec.hidden, spec.dim)
    with torch.no_grad():
        last.weight.mul_(INITIAL_MLP_SCALE)
        last.bias.zero_()
    return nn.Sequential(first, nn.GELU(), last)
