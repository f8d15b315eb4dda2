"""Ridge regression whose strength is chosen by leaving out one row; fitted to many targets at little cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.evaluate.logged import Float64

STRENGTHS = 10.0 ** np.arange(-3, 4.5, 0.5)  # per row; of columns of variance 1
_SHRUNK = 1.0  # rows of 0 that a mean is taken with: of one row, half is believed


@dataclass(frozen=True)
class Ridge:
    """w minimises |y − ȳ − (φ − φ̄) w|² + λ |w|² (Hoerl & Kennard 1970)."""

    center: Float64
    """`[F]` φ̄"""
    solution: Float64
    """`[F, n]`: w = solution y."""

    @classmethod
    def of(cls, features: Float64, target: Float64) -> Ridge:
        """With the λ of the least squared error of left-out rows.

        Args:
            features: `[n, F]`; n may be 0.
            target: `[n]` for which λ is chosen.
        """
        n, width = features.shape
        if n < 2:
            return cls(np.zeros(width), np.zeros((width, n)))
        centered = features - features.mean(axis=0)
        sizes, turns = np.linalg.eigh(centered.T @ centered)
        sizes, turned = np.maximum(sizes, 0.0), centered @ turns  # [F], [n, F]
        along = turned.T @ (target - target.mean())
        errors = [_left_out(turned, 1 / (sizes + n * strength), along, target) for strength in STRENGTHS]
        chosen = 1 / (sizes + n * STRENGTHS[int(np.argmin(errors))])
        return cls(features.mean(axis=0), (turns * chosen) @ turned.T)

    def fit(self, target: Float64) -> Callable[[Float64], Float64]:
        """`[m, F]` -> `[m]` predictions, fitted to this target of the same rows."""
        mean = target.sum() / (len(target) + _SHRUNK)
        weights = self.solution @ target  # the columns of φ − φ̄ sum to 0: ȳ need not be taken off
        return lambda features: mean + (features - self.center) @ weights


def _left_out(turned: Float64, shrunk: Float64, along: Float64, target: Float64) -> float:
    """Mean squared error of every row by the others: residual / (1 − its own leverage) (Allen 1974)."""
    residual = target - target.mean() - turned @ (shrunk * along)
    leverage = 1 / len(target) + np.square(turned) @ shrunk
    return float(np.square(residual / np.maximum(1 - leverage, 1e-6)).mean())
