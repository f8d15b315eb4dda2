"""Pure functions of training: calibration temperature, modality dropout, what decays, the learning rate's course."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Bounds on the temperature: beyond them a classifier is either constant or certain, and calibration has failed.
COLDEST, HOTTEST = 0.05, 20.0


def fit_temperature(logits: Tensor, nll: Callable[[Tensor], Tensor]) -> Tensor:
    """The T > 0 that minimises `nll(logits / T)`, by LBFGS on log T (Guo et al. 2017).

    Args:
        logits: `[N, K]` raw outputs on validation rows.
        nll: mean negative log-likelihood of logits of that shape.

    Returns:
        Scalar in [0.05, 20].
    """
    logits = logits.detach()
    log_t = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], lr=0.5, max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = nll(logits / log_t.exp())
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        return loss.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves LBFGS untyped
    return log_t.detach().exp().clamp(COLDEST, HOTTEST)


def modality_dropout(mask: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Leave modalities out of a share of the rows, never all of a row's.

    With `probability` a row keeps a random subset of its present modalities: each with a chance of one half, and one
    of them, drawn uniformly, in any case. The other rows stay as they are.

    Args:
        mask: `[B, M]` bool, True where present, at least one in every row.
        probability: share of rows that are thinned.
        generator: source of randomness.

    Returns:
        `[B, M]` bool, True only where `mask` is, at least one in every row.
    """
    chosen = torch.rand(len(mask), 1, generator=generator)  # [B, 1]
    return thinned(mask, probability, chosen, torch.rand(mask.shape, generator=generator))


def thinned(mask: Tensor, probability: float, chosen: Tensor, lots: Tensor) -> Tensor:
    """`modality_dropout` by lots in [0, 1) that are given: `chosen` `[B, 1]` of the rows, `lots` `[B, M]` of slots."""
    kept_for_sure = torch.zeros_like(mask).scatter_(1, lots.masked_fill(~mask, -1).argmax(1, keepdim=True), True)
    return mask & ((chosen >= probability) | (lots > 0.5) | kept_for_sure)


def decayed(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """AdamW's groups of what is trained: matrices and kernels decay; biases and scales have no reason to be near 0."""
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def cosine_rate(step: int, steps: int, warmup: float) -> float:
    """Factor on the learning rate: linear from 0 to 1 over the first `warmup` of the steps, then half a cosine to 0.

    Loshchilov & Hutter 2017, "SGDR", without restarts. `step` counts from 0; the factor is above 0 for all of `steps`.
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
