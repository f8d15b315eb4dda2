"""Self-normalized inverse propensity scoring: Σ w r / Σ w."""

from __future__ import annotations

from typing import ClassVar, Self

from models.evaluate.estimates import EstimatorSpec, Terms
from models.evaluate.logged import Logged


class SnipsSpec(EstimatorSpec):
    """V = Σ w r / Σ w: the same whatever is added to all rewards (Swaminathan & Joachims 2015).

    Of episodes: Σ ρ_T G / Σ ρ_T with ρ_T = Π_t w_t and G = Σ_t γ^t r_t (Precup, Sutton & Singh 2000).
    """

    kind: ClassVar[str] = "snips"
    needs_model: ClassVar[bool] = False

    def build(self) -> Self:
        """Itself: there is nothing to load."""
        return self

    def __call__(self, logged: Logged) -> Terms:
        """See `Estimator`."""
        weights = logged.products[logged.ends]
        return Terms(weights * logged.returns, weights)
