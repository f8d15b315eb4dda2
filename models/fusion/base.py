"""What every fusion promises: one forward(x, mask) whose result absent modalities cannot touch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.encoders.base import projection
from models.fusion._spec import FusionSpec as FusionSpec
from models.layers import Linear
from models.spec import digest

# Standardized inputs are cut here: a coordinate that is nearly constant in the training rows (a rare n-gram) would
# otherwise dominate its row. A normal value passes ±8 once in 10^15.
LARGEST_STANDARDIZED = 8.0


class Fused(NamedTuple):
    """What a fusion returns."""

    z: Tensor  # [B, F]
    shares: Tensor  # [B, M], >= 0, 0 where masked, rows sum to 1
    parts: Tensor | None = None  # [B, M, F], each modality's own vector, 0 where masked: the unimodal loss reads it


class Fusion(nn.Module):
    """Fuses the embeddings that a row has; at least one modality must be present in every row."""

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor) -> Fused:
        """Fuse a batch.

        Args:
            x: `[B, M, D]` float32; modality m fills the first `inputs[m]` of D = max(inputs) places, zeros follow.
                What stands in a masked slot (also NaN) changes neither the result nor a gradient.
            mask: `[B, M]` bool, True where the modality is present.

        Returns:
            `z` `[B, F]` and `shares` `[B, M]`.
        """

    def observe(self, x: Tensor, mask: Tensor) -> None:
        """Note the scale of the inputs of all training rows (`x`, `mask` as in `forward`) before training starts."""


def keep_present(x: Tensor, mask: Tensor) -> Tensor:
    """`[B, M, D]` with masked slots set to zero by selection: NaN there reaches neither value nor gradient."""
    return torch.where(mask.unsqueeze(-1), x, torch.zeros((), dtype=x.dtype, device=x.device))


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the present modalities of each row: `[B, M]` logits and mask to `[B, M]` that sum to 1."""
    return torch.softmax(logits.masked_fill(~mask, float("-inf")), dim=-1)


def norm_shares(contributions: Tensor, mask: Tensor) -> Tensor:
    """`[B, M, F]` contributions to `[B, M]` shares by norm; equal shares where all norms are 0."""
    norms = contributions.norm(dim=-1).masked_fill(~mask, 0)  # [B, M]
    norms = torch.where(norms.sum(dim=-1, keepdim=True) > 0, norms, mask.to(norms.dtype))
    return norms / norms.sum(dim=-1, keepdim=True)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global generator from this seed inside the block, and as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def orthogonal(in_dim: int, out_dim: int, seed: int, name: str) -> Tensor:
    """`[out_dim, in_dim]` orthogonal weight from the seed and a modality's *name*.

    Adding a modality therefore leaves the others' weights as they were. Scaled so that an input whose coordinates have
    mean square 1 gives an output whose coordinates have mean square 1, whatever the two widths are.
    """
    own_seed = int(digest({"seed": seed, "modality": name})[:16], 16)
    scale = max(1.0, out_dim / in_dim) ** 0.5
    weight: Tensor = torch.from_numpy(projection(in_dim, out_dim, own_seed)).T.contiguous() * scale
    return weight


class Projections(nn.Module):
    """h_m = W_m n(x_m) + b_m: every modality on one width.

    n is clip((x − μ) / σ) per coordinate in a fusion that is trained, μ and σ (0 and 1 until then) those of its
    training rows. It is LayerNorm in one that is not: nothing is known of the scale, and no modality may drown another.
    A row's own length, which LayerNorm takes away, is information: standardizing alone predicted better in every
    trial of ours.
    """

    def __init__(self, inputs: Mapping[str, int], dim: int, seed: int, *, trained: bool) -> None:
        super().__init__()
        self.trained = trained
        self.widths = tuple(inputs.values())
        self.linears = nn.ModuleList()
        for index, (name, width) in enumerate(inputs.items()):
            linear = Linear(width, dim)
            with torch.no_grad():
                linear.weight.copy_(orthogonal(width, dim, seed, name))
                linear.bias.zero_()
            self.linears.append(linear)
            if trained:
                self.register_buffer(f"mean_{index}", torch.zeros(width))
                self.register_buffer(f"std_{index}", torch.ones(width))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """`[B, M, D]` inputs and their mask to `[B, M, F]`, 0 where masked."""
        present = keep_present(x, mask)  # [B, M, D]
        parts = [linear(self._normalized(present[:, i], i)) for i, linear in enumerate(self.linears)]
        return keep_present(torch.stack(parts, dim=1), mask)  # [B, M, F]

    def _normalized(self, x: Tensor, index: int) -> Tensor:
        width = self.widths[index]
        if not self.trained:
            return functional.layer_norm(x[:, :width], (width,))  # [B, d_m]
        mean, std = self.get_buffer(f"mean_{index}"), self.get_buffer(f"std_{index}")
        return ((x[:, :width] - mean) / std).clamp(-LARGEST_STANDARDIZED, LARGEST_STANDARDIZED)  # [B, d_m]

    @torch.no_grad()
    def observe(self, x: Tensor, mask: Tensor) -> None:
        """Set μ and σ from the training rows (`[N, M, D]`, `[N, M]`) in which the modality is present."""
        if not self.trained:
            return
        for index, width in enumerate(self.widths):
            rows = x[mask[:, index], index, :width]  # [n_m, d_m]
            if len(rows) < 2:
                continue
            std, mean = torch.std_mean(rows, dim=0)
            constant = std <= 1e-6 * (1 + mean.abs())  # float32 rounding of a constant, not variation
            self.get_buffer(f"mean_{index}").copy_(mean)
            self.get_buffer(f"std_{index}").copy_(torch.where(constant, torch.ones_like(std), std))
