"""Doubly robust: the direct method, corrected by the weighted residuals."""

from __future__ import annotations

from typing import ClassVar, Self

from models.evaluate.estimates import EstimatorSpec, Terms, mean_of
from models.evaluate.logged import Logged


class DoublyRobustSpec(EstimatorSpec):
    """V = mean of Σ_a π q̂ + w (r − q̂): right if either propensities or model are (Dudík, Langford & Li 2011).

    Of episodes, V_t = V̂(x_t) + w_t (r_t + γ V_{t+1} − q̂(x_t, a_t)) from their ends on (Jiang & Li 2016), which is
    V̂(x_0) + Σ_t γ^t ρ_t (r_t + γ V̂(x_{t+1}) − q̂(x_t, a_t)). Where one was cut off, V̂ stands for what is not known.
    """

    kind: ClassVar[str] = "doubly_robust"
    needs_model: ClassVar[bool] = True

    def build(self) -> Self:
        """Itself: there is nothing to load."""
        return self

    def __call__(self, logged: Logged) -> Terms:
        """See `Estimator`."""
        corrections = logged.per_episode(logged.discount * logged.products * logged.residual)
        return mean_of(logged.expected[logged.places.starts] + corrections)
