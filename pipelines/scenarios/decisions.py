"""Logging policies: which action was taken, with which known probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.scenarios.streams import Bools, Floats, Ints


def weighted(seen: Floats, weights: Floats) -> Floats:
    """`[n, A]` Σ_k seen[n, k] weights[A, k], rounded the same whatever other rows there are (a product is not)."""
    products: Floats = (seen[:, None] * weights).sum(axis=2)
    return products


class Decisions(NamedTuple):
    """What was done in each row."""

    action: Ints
    """`[n]` index of the action."""
    propensity: Floats
    """`[n]` probability of that action."""


def probabilities(scores: Floats, allowed: Bools, floor: float) -> Floats:
    """`[n, A]`: a softmax of the scores over the allowed actions, mixed with `floor` for each of them.

    Args:
        scores: `[n, A]`.
        allowed: `[n, A]`.
        floor: least probability of an allowed action: keeps importance weights below 1 / floor.
    """
    masked = np.where(allowed, scores, -np.inf)
    raised = np.exp(masked - masked.max(axis=1, keepdims=True))
    softmax = raised / raised.sum(axis=1, keepdims=True)
    mixed: Floats = allowed * floor + (1 - floor * allowed.sum(axis=1, keepdims=True)) * softmax
    return mixed


def decide(chances: Floats, uniform: Floats) -> Decisions:
    """Draw one action per row from probabilities `[n, A]` with uniform numbers `[n]`."""
    drawn = (np.cumsum(chances, axis=1) <= uniform[:, None]).sum(axis=1)
    # Rounding may leave the sum just below 1: then the last action that can be drawn is the right one.
    last = chances.shape[1] - 1 - (chances[:, ::-1] > 0).argmax(axis=1)
    action = np.minimum(drawn, last)
    return Decisions(action, np.take_along_axis(chances, action[:, None], axis=1)[:, 0])


def names_where(mask: Bools, names: Sequence[str]) -> pa.ListArray:
    """list<string> `[n]`: the names of the columns in which `mask` `[n, A]` is true."""
    offsets = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(names).take(pa.array(np.nonzero(mask)[1])))
