"""The tabular network as a torch module; `table` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.encoders._networks import EncoderNetwork, one_in
from models.encoders.table import ABSENT, TableSpec
from models.layers import Linear

STEPS = (-1.0, 0.0, 1.0)  # where soft steps stand, in standard deviations: near the 16 %, 50 % and 84 % quantiles
PER_NUMBER = 2 + len(STEPS)


class TableNetwork(EncoderNetwork):
    """Numbers with soft steps and signs of absence, category vectors, residual layers (Gorishniy et al. 2021)."""

    def __init__(self, spec: TableSpec) -> None:
        super().__init__()
        self.spec = spec
        # As many coordinates as tell the categories apart, and no more than the setting allows.
        sizes = [len(categories) + 2 for categories in spec.categories.values()]
        widths = [min(spec.category, size) for size in sizes]
        self.vectors = nn.ModuleList(nn.Embedding(size, width) for size, width in zip(sizes, widths, strict=True))
        self.first = Linear(PER_NUMBER * len(spec.numeric) + sum(widths), spec.hidden)
        self.layers = nn.ModuleList(Residual(spec.hidden, spec.dropout) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.hidden)
        self.last = Linear(spec.hidden, spec.dim)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """float32 `[B, 1, fields]` to `[B, dim]`."""
        fields = x[:, 0]
        numbers, codes = fields[:, : len(self.spec.numeric)], fields[:, len(self.spec.numeric) :].long()
        absent = torch.isnan(numbers)
        z = torch.where(absent, torch.zeros((), device=x.device), numbers)
        steps = [torch.where(absent, torch.zeros((), device=x.device), torch.tanh(2 * (z - step))) for step in STEPS]
        found = [vectors(codes[:, index]) for index, vectors in enumerate(self.vectors)]
        hidden = self.first(torch.cat([z, absent.float(), *steps, *found], dim=1))
        for layer in self.layers:
            hidden = layer(hidden)
        out: Tensor = self.last(functional.gelu(self.norm(hidden)))
        return out

    def augment(self, x: Tensor, lengths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows with some of their fields hidden as if they were absent."""
        hidden = one_in(self.spec.field_dropout, tuple(x.shape), generator)
        nothing = torch.full((x.shape[2],), float(ABSENT))
        nothing[: len(self.spec.numeric)] = torch.nan
        return torch.where(hidden, nothing, x), lengths


class Residual(nn.Module):
    """x + W₂ dropout(GELU(W₁ norm(x)))."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.LayerNorm(width), Linear(width, width), nn.GELU(), nn.Dropout(dropout), Linear(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B, d]` to `[B, d]`."""
        out: Tensor = x + self.inner(x)
        return out
