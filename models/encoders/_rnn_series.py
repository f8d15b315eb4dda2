"""The series network as a torch module; `rnn_series` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.encoders._networks import AttentionPooling, EncoderNetwork, Recurrent, masked_mean, one_in, within
from models.encoders.rnn_series import RnnSeriesSpec
from models.layers import Linear


class RnnSeriesNetwork(EncoderNetwork):
    """z = W [attention over the states of both directions; their mean; log of the number of events]."""

    def __init__(self, spec: RnnSeriesSpec) -> None:
        super().__init__()
        self.spec = spec
        self.first = Linear(spec.features, spec.hidden)
        self.recurrent = Recurrent(spec.cell, spec.hidden, spec.hidden)
        self.pool = AttentionPooling(2 * spec.hidden)
        self.dropout = nn.Dropout(spec.dropout)
        self.last = Linear(4 * spec.hidden + 1, spec.dim)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """float32 `[B, T, features]` to `[B, dim]`."""
        mask = within(lengths, x.shape[1])
        steps = self.dropout(functional.gelu(self.first(x)))  # [B, T, hidden]
        states = self.dropout(self.recurrent(steps, lengths))  # [B, T, 2 hidden]
        count = torch.log1p(lengths.float())[:, None] - 2
        pooled = [self.pool(states, mask), masked_mean(states, mask), count]
        z: Tensor = self.last(torch.cat(pooled, dim=1))
        return z

    def augment(self, x: Tensor, lengths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Series without some of their events; what is kept moves together."""
        lost = one_in(self.spec.event_dropout, tuple(x.shape[:2]), generator)
        kept = within(lengths, x.shape[1]) & ~lost
        order = torch.argsort((~kept).int(), dim=1, stable=True)[..., None]  # [B, T, 1]: kept ones first, in order
        return torch.take_along_dim(x, order, dim=1), kept.sum(dim=1)
