"""From states of tokens, patches or frames to one vector per row, in float32 whatever the model computes in."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def pool(states: Tensor, mask: Tensor, how: str) -> Tensor:
    """One float32 vector `[B, D]` for states `[B, T, D]` of which those under mask `[B, T]` count.

    `cls` is the first of them, `last` the last, `mean` Σ mask·state / Σ mask, summed in float32. Padding is selected
    away, never multiplied, so that NaN in it changes nothing.
    """
    if how == "mean":
        counted = torch.where(mask[..., None], states.float(), 0.0)  # [B, T, D]
        return counted.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    position = torch.arange(mask.shape[1], device=mask.device)
    outside = mask.shape[1] if how == "cls" else -1
    candidates = torch.where(mask, position, outside)
    chosen = candidates.amin(dim=1) if how == "cls" else candidates.amax(dim=1)
    chosen = chosen.clamp(0, mask.shape[1] - 1)
    return states[torch.arange(len(states), device=states.device), chosen].float()


def shortened(vectors: Tensor, dim: int | None, *, normalize: bool) -> Tensor:
    """The first `dim` numbers of each row `[B, D]`, then scaled to length 1 if asked for.

    A model trained for it keeps what matters most in front (Kusupati et al. 2022, Matryoshka Representation Learning,
    arXiv:2205.13147), and the length is that of what is left.
    """
    kept = vectors[:, :dim]
    return nn.functional.normalize(kept, dim=-1) if normalize else kept


def as_tokens(states: Tensor) -> Tensor:
    """`[B, T, D]` as it is; feature maps `[B, D, H, W]` as H·W tokens."""
    return states if states.ndim == 3 else states.flatten(2).transpose(1, 2)
