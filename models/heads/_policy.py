"""Policies over the actions that are allowed: pure functions of preferences; free of torch."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Bool, Int64
from models.hashing import hash_strings, mix, salt

Float64: TypeAlias = npt.NDArray[np.float64]


def greedy(preferences: npt.NDArray[np.floating], allowed: Bool) -> Float64:
    """`[n, A]`: all probability on the allowed action of the largest preference (the first of equals), 0 without any.

    Args:
        preferences: `[n, A]`.
        allowed: `[n, A]`.
    """
    best = np.where(allowed, preferences, -np.inf).argmax(axis=1)
    chosen: Float64 = np.where(allowed, np.eye(preferences.shape[1])[best], 0.0)
    return chosen


def softmax(preferences: npt.NDArray[np.floating], allowed: Bool) -> Float64:
    """`[n, A]`: exp of the preferences over the allowed actions, normalized; 0 without any."""
    masked = np.where(allowed, preferences.astype(np.float64), -np.inf)
    top = masked.max(axis=1, keepdims=True)
    raised = np.exp(masked - np.where(np.isfinite(top), top, 0.0))
    total = raised.sum(axis=1, keepdims=True)
    found: Float64 = np.divide(raised, total, out=np.zeros_like(raised), where=total > 0)
    return found


def mixed(base: Float64, allowed: Bool, epsilon: float) -> Float64:
    """`[n, A]`: ε / |allowed| for every allowed action, the rest as in `base`: what is tried can be judged later."""
    count = np.maximum(allowed.sum(axis=1, keepdims=True), 1)
    return np.where(allowed, epsilon / count + (1 - epsilon) * base, 0.0)


def draw(policy: Float64, uniform: Float64) -> Int64:
    """`[n]` one action per row; −1 where the policy is 0 everywhere.

    Args:
        policy: `[n, A]`.
        uniform: `[n]` in [0, 1).
    """
    summed = policy.cumsum(axis=1)
    total = summed[:, -1]
    # Rounding may leave the sum just below 1: the draw is scaled to it. A float64 below 1 times the sum is below the
    # sum, so that a first sum above it exists, and belongs to an action of probability above 0.
    action: Int64 = (summed <= (uniform * total)[:, None]).sum(axis=1)
    return np.where(total > 0, action, -1)


def row_uniforms(keys: pa.Array, purpose: str) -> Float64:
    """`[n]` numbers in [0, 1) that depend on each row's key and the purpose alone, whatever batch the row came in."""
    texts = keys if pa.types.is_binary(keys.type) else keys.cast(pa.string())
    mixed_keys = mix(hash_strings(texts) ^ salt(purpose))
    return (mixed_keys >> np.uint64(11)).astype(np.float64) / 2.0**53
