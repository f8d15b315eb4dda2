"""Networks of the encoders of our own, and how they run: in blocks whose shape hangs on a value's own length alone."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, cast

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from models.arrow import Float32
from models.devices import memory_guard
from models.encoders._learned import LearnedEncoderSpec
from models.layers import Linear
from models.sequences import Sequences, rounded_up
from models.spec import Spec

BLOCK_ROWS = 32  # values computed together: what they need stays near the cache, and few values leave few places idle


class EncoderNetwork(nn.Module):
    """From a block of values to their embeddings; padding, and values of length 0, must do no harm."""

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Embed a block.

        Args:
            x: `[B, T, k]`, as `Sequences.padded` gives it; what stands behind a value's end changes nothing.
            lengths: `[B]` int64, steps of each value, 0 to T.

        Returns:
            `[B, dim]` float32.
        """

    def augment(self, x: Tensor, lengths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The block as training shows it: changed at random in ways that leave its meaning alone."""
        return x, lengths


class LearnedEncoder:
    """Encodes cleaned values by a trained network.

    Args:
        spec: as it stands in the artifact, with all that training taught.
        network: with its weights.
        device: where it runs.
    """

    def __init__(self, spec: LearnedEncoderSpec, network: nn.Module, device: torch.device) -> None:
        self._spec = spec
        self._network = cast(EncoderNetwork, network.eval().to(device))
        self._device = device

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n values."""
        return encode(self._network, self._spec.inputs(self._spec.compact(values)), self._spec.dim, self._device)


def network_of(spec: Spec[Any]) -> nn.Module:
    """The untrained network of an artifact's Spec."""
    return cast(LearnedEncoderSpec, spec).network()


def encode(network: EncoderNetwork, inputs: Sequences, dim: int, device: torch.device) -> Float32:
    """`[n, dim]` embeddings, by blocks of exactly BLOCK_ROWS values of one rounded length (see `arrow.rowwise`)."""
    out = np.empty((len(inputs), dim), np.float32)
    widths = rounded_up(inputs.lengths)
    for width in np.unique(widths):
        rows = np.flatnonzero(widths == width)
        for start in range(0, len(rows), BLOCK_ROWS):
            chosen = rows[start : start + BLOCK_ROWS]
            x = np.zeros((BLOCK_ROWS, int(width), inputs.steps.shape[1]), inputs.steps.dtype)
            x[: len(chosen)] = inputs.padded(chosen, int(width))
            lengths = np.zeros(BLOCK_ROWS, np.int64)
            lengths[: len(chosen)] = inputs.lengths[chosen]
            with torch.inference_mode(), memory_guard(device):
                z = network(torch.from_numpy(x).to(device), torch.from_numpy(lengths).to(device))
            out[chosen] = z[: len(chosen)].float().cpu().numpy()
    return out


def within(lengths: Tensor, width: int) -> Tensor:
    """`[B, T]` bool: the steps that belong to a value."""
    return torch.arange(width, device=lengths.device) < lengths[:, None]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """`[B, d]` mean of `[B, T, d]` over the steps under `[B, T]`; 0 where there is none."""
    kept = torch.where(mask[..., None], x, torch.zeros((), dtype=x.dtype, device=x.device))
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


class AttentionPooling(nn.Module):
    """Σ_t a_t x_t with a = softmax over a value's steps of wᵀ tanh(W x_t) (Yang et al. 2016); 0 where there is none."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = Linear(width, width)
        self.score = Linear(width, 16)  # sixteen opinions, averaged: rows of one float are summed unaligned

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """`[B, T, d]` steps and their mask `[B, T]` to `[B, d]`."""
        scores = self.score(torch.tanh(self.inner(x))).mean(dim=-1).masked_fill(~mask, -1e9)  # [B, T]
        weights = torch.softmax(scores, dim=1) * mask
        return (weights[..., None] * torch.where(mask[..., None], x, torch.zeros((), device=x.device))).sum(dim=1)


class Recurrent(nn.Module):
    """A GRU or LSTM along the steps and another one against them; neither ever reads what is no step of the value.

    cuDNN's and torch's own bidirectional layers begin the way back in the padding, or cut blocks into shapes that hang
    on all lengths in them; here each value is turned round in its place.
    """

    def __init__(self, cell: str, inputs: int, hidden: int) -> None:
        super().__init__()
        layer = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.forth = layer(inputs, hidden, batch_first=True)
        self.back = layer(inputs, hidden, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """`[B, T, inputs]` to `[B, T, 2 · hidden]`; what stands behind a value's end is undefined."""
        order = turned(lengths, x.shape[1])[..., None]  # [B, T, 1]
        forth, _ = self.forth(x)
        back, _ = self.back(torch.take_along_dim(x, order, dim=1))
        return torch.cat([forth, torch.take_along_dim(back, order, dim=1)], dim=2)


def turned(lengths: Tensor, width: int) -> Tensor:
    """`[B, T]` for each step the number of the step that takes its place when values are turned round in place."""
    step = torch.arange(width, device=lengths.device)
    return torch.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)


def one_in(probability: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """A bool tensor on the CPU that is True with this probability."""
    return torch.rand(shape, generator=generator) < probability
