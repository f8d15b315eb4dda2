"""What follows from latents: quadratic functions of them, and their exact expectation under a normal posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pipelines.scenarios.streams import Floats
from pipelines.scenarios.world import Posterior


@dataclass(frozen=True)
class Quadratic:
    """constant + Σ linear[i] z_i + Σ products[i, j] z_i z_j, with i ≠ j."""

    names: tuple[str, ...]
    """The world's latents."""
    constant: float
    linear: Mapping[str, float]
    products: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def __call__(self, latents: Floats) -> Floats:
        """Values `[n]` at latents `[n, L]`."""
        value: Floats = np.full(len(latents), self.constant)
        for name, weight in self.linear.items():  # no matrix product: its rounding depends on how many rows there are
            value = value + weight * latents[:, self.names.index(name)]
        for (i, j), weight in self.products.items():
            value = value + weight * latents[:, self.names.index(i)] * latents[:, self.names.index(j)]
        return value

    def expected(self, known: Posterior) -> Floats:
        """Expectation `[n]` under a normal posterior, exact: E z_i z_j = mean_i mean_j + covariance_ij."""
        covered = sum(
            weight * known.covariance[self.names.index(i), self.names.index(j)]
            for (i, j), weight in self.products.items()
        )
        value: Floats = self(known.mean) + covered
        return value


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x), without overflow."""
    half: Floats = 0.5 * (1 + np.tanh(x / 2))
    return half


def softmax(x: Floats) -> Floats:
    """`[..., K]` e^x / Σ e^x over the last axis, without overflow."""
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return shares
