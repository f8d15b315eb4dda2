"""The text network as a torch module; `rnn` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.encoders._networks import AttentionPooling, EncoderNetwork, Recurrent, masked_mean, one_in, within
from models.encoders.rnn import GAP, RnnSpec
from models.layers import Linear


class RnnNetwork(EncoderNetwork):
    """z = W [attention over the states of both directions; mean of the tokens' vectors].

    The mean reads a text as a bag of words (Iyyer et al. 2015), which few rows suffice to learn; the states add order.
    """

    def __init__(self, spec: RnnSpec) -> None:
        super().__init__()
        self.spec = spec
        self.vectors = nn.Embedding(spec.tokens, spec.embedding)
        nn.init.normal_(self.vectors.weight, std=0.1)
        self.recurrent = Recurrent(spec.cell, spec.embedding, spec.hidden)
        self.pool = AttentionPooling(2 * spec.hidden)
        self.dropout = nn.Dropout(spec.dropout)
        self.last = Linear(2 * spec.hidden + spec.embedding, spec.dim)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """int32 `[B, T, 1]` to `[B, dim]`."""
        mask = within(lengths, x.shape[1])
        vectors = self.dropout(self.vectors(x[..., 0]))  # [B, T, embedding]
        states = self.dropout(self.recurrent(vectors, lengths))  # [B, T, 2 hidden]
        z: Tensor = self.last(torch.cat([self.pool(states, mask), masked_mean(vectors, mask)], dim=1))
        return z

    def augment(self, x: Tensor, lengths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Texts with some of their tokens hidden, all but the first."""
        hidden = one_in(self.spec.token_dropout, tuple(x.shape), generator)
        hidden[:, 0] = False
        return x.masked_fill(hidden, GAP), lengths
