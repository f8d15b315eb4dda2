"""What happens to a customer: churn, spend and the revenue of each offer, as quadratic functions of the latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pipelines.scenarios.latents import LATENTS, Posterior
from pipelines.scenarios.streams import Floats


@dataclass(frozen=True)
class Quadratic:
    """constant + Σ linear[i] z_i + Σ products[i, j] z_i z_j, with i ≠ j."""

    constant: float
    linear: Mapping[str, float]
    products: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def __call__(self, latents: Floats) -> Floats:
        """Values `[n]` at latents `[n, 7]`."""
        weights = np.array([self.linear.get(name, 0.0) for name in LATENTS])
        value: Floats = self.constant + latents @ weights
        for (i, j), weight in self.products.items():
            value = value + weight * latents[:, LATENTS.index(i)] * latents[:, LATENTS.index(j)]
        return value

    def expected(self, known: Posterior) -> Floats:
        """Expectation `[n]` under a normal posterior, exact: E z_i z_j = mean_i mean_j + covariance_ij."""
        covered = sum(
            weight * known.covariance[LATENTS.index(i), LATENTS.index(j)] for (i, j), weight in self.products.items()
        )
        value: Floats = self(known.mean) + covered
        return value


CHURN_LOGIT = Quadratic(
    -0.9,
    {"mood": -1.3, "loyalty": -1.2, "haste": 1.2, "taste_bold": 0.9, "intent": -0.9},
    {("mood", "loyalty"): 0.35, ("haste", "taste_bold"): 0.35},
)
"""Log odds of leaving within 30 days."""

SPEND = Quadratic(
    220.0,
    {"wealth": 36.0, "taste_ornate": 30.0, "intent": 30.0, "mood": 18.0, "loyalty": 14.0},
    {("wealth", "taste_bold"): 12.0, ("intent", "haste"): 10.0},
)
"""Expected spend of the next 30 days in euros, net of returns (so it may be negative)."""
SPEND_NOISE = 24.0  # standard deviation in euros of what no latent explains

OFFERS = ("none", "discount", "upgrade", "call_back")
REVENUE: Mapping[str, Quadratic] = {
    "none": Quadratic(20.0, {"wealth": 3.0, "loyalty": 3.0}),
    "discount": Quadratic(19.0, {"wealth": -3.0, "loyalty": 3.0, "intent": 6.0, "haste": 4.0}),
    "upgrade": Quadratic(17.0, {"wealth": 9.0, "taste_ornate": 5.0}, {("wealth", "taste_bold"): 3.0}),
    "call_back": Quadratic(18.0, {"mood": -7.0, "loyalty": 6.0, "haste": -4.0}),
}
"""Expected revenue of each offer in euros, its cost taken off."""
REVENUE_NOISE = 6.0  # standard deviation in euros


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x), without overflow."""
    half: Floats = 0.5 * (1 + np.tanh(x / 2))
    return half


def revenues(latents: Floats) -> Floats:
    """`[n, 4]` expected revenue of every offer at latents `[n, 7]`, in the order of OFFERS."""
    return np.stack([REVENUE[offer](latents) for offer in OFFERS], axis=1)
