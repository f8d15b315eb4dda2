"""Attention fusion as a torch module; `attention` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.fusion.attention import AttentionSpec
from models.fusion.base import Fused, Fusion, Projections, keep_present, seeded
from models.layers import Linear

INITIAL_TOKEN_SCALE = 0.02  # of the summary and type vectors, as in BERT


class AttentionFusion(Fusion):
    """A summary token looks at the modalities that are there; it is never masked, so that no softmax is empty.

    It starts at their mean: from a learned vector alone, attention had to learn to look at anything at all, and reached
    an R² of 0.39 where a weighted sum reached 0.42 and this 0.43 (1,600 rows of five modalities).
    """

    def __init__(self, spec: AttentionSpec) -> None:
        super().__init__()
        modalities = len(spec.inputs)
        self.projections = Projections(spec.inputs, spec.dim, spec.seed, trained=spec.trained)
        with seeded(spec.seed):
            self.summary = nn.Parameter(INITIAL_TOKEN_SCALE * torch.randn(spec.dim))  # [F]
            self.types = nn.Parameter(INITIAL_TOKEN_SCALE * torch.randn(modalities, spec.dim))  # [M, F]
            self.layers = nn.ModuleList(Layer(spec) for _ in range(spec.layers))

    def forward(self, x: Tensor, mask: Tensor) -> Fused:
        """See `Fusion.forward`; the shares are the summary's attention to the modalities in the last layer."""
        parts = self.projections(x, mask)  # [B, M, F]
        mean = parts.sum(dim=1, keepdim=True) / mask.sum(dim=1)[:, None, None]  # [B, 1, F]
        tokens = torch.cat([self.summary + mean, keep_present(parts + self.types, mask)], dim=1)  # [B, 1 + M, F]
        seen = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)  # [B, 1 + M]
        logits = torch.zeros(())
        for layer in self.layers:
            tokens, logits = layer(tokens, seen)  # [B, 1 + M, F], [B, H, 1 + M, 1 + M]
        among = logits[:, :, 0, 1:].masked_fill(~mask.unsqueeze(1), float("-inf"))  # [B, H, M]
        shares = torch.softmax(among, dim=-1).mean(dim=1)  # [B, M]
        return Fused(tokens[:, 0], shares, parts)

    def observe(self, x: Tensor, mask: Tensor) -> None:
        """See `Fusion.observe`."""
        self.projections.observe(x, mask)


class Layer(nn.Module):
    """Attention, then two linear maps of twice the width with a GELU between; each on normalized input, and added."""

    def __init__(self, spec: AttentionSpec) -> None:
        super().__init__()
        self.heads, self.dropout = spec.used_heads, spec.dropout
        self.norms = nn.ModuleList([nn.LayerNorm(spec.dim), nn.LayerNorm(spec.dim)])
        self.queries_keys_values = Linear(spec.dim, 3 * spec.dim)
        self.out = Linear(spec.dim, spec.dim)
        self.wide, self.narrow = Linear(spec.dim, 2 * spec.dim), Linear(2 * spec.dim, spec.dim)

    def forward(self, tokens: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, T, F]` tokens, of which the `[B, T]` seen ones are looked at, to tokens and `[B, H, T, T]` logits."""
        found, logits = self._attended(self.norms[0](tokens), seen)
        tokens = tokens + self._dropped(found)
        inner = functional.gelu(self.wide(self.norms[1](tokens)))
        return tokens + self._dropped(self.narrow(inner)), logits

    def _attended(self, tokens: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        split = self.queries_keys_values(tokens).unflatten(-1, (3, self.heads, -1))  # [B, T, 3, H, d]
        queries, keys, values = split.permute(2, 0, 3, 1, 4)  # [B, H, T, d] each
        logits = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5  # [B, H, T, T]
        weights = torch.softmax(logits.masked_fill(~seen[:, None, None, :], float("-inf")), dim=-1)
        return self.out((weights @ values).transpose(1, 2).flatten(2)), logits

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)
