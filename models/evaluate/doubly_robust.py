"""Doubly robust: the direct method, corrected by the weighted residuals."""

from __future__ import annotations

from typing import ClassVar, Self

from models.evaluate.estimates import EstimatorSpec, Terms, mean_of
from models.evaluate.logged import Logged


class DoublyRobustSpec(EstimatorSpec):
    """V = mean of Σ_a π q̂ + w (r − q̂): right if either propensities or model are (Dudík, Langford & Li 2011)."""

    kind: ClassVar[str] = "doubly_robust"
    needs_model: ClassVar[bool] = True

    def build(self) -> Self:
        """Itself: there is nothing to load."""
        return self

    def __call__(self, logged: Logged) -> Terms:
        """See `Estimator`."""
        return mean_of(logged.expected + logged.weights * logged.residual)
