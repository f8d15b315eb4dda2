"""Switch doubly robust: weighted residuals only where weights are small."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from models.evaluate.estimates import EstimatorSpec, Terms, mean_of
from models.evaluate.logged import Logged


class SwitchSpec(EstimatorSpec):
    """V = mean of Σ_a π q̂ + 1{w ≤ τ} w (r − q̂) (Wang, Agarwal & Dudík 2017).

    Of episodes, w is the product of the weights so far.
    """

    kind: ClassVar[str] = "switch"
    needs_model: ClassVar[bool] = True

    threshold: float = Field(default=10.0, gt=0)
    """τ: a row of a larger weight counts with what the model expects."""

    def build(self) -> Self:
        """Itself: there is nothing to load."""
        return self

    def __call__(self, logged: Logged) -> Terms:
        """See `Estimator`."""
        weights = np.where(logged.products <= self.threshold, logged.products, 0.0)
        corrections = logged.per_episode(logged.discount * weights * logged.residual)
        return mean_of(logged.expected[logged.places.starts] + corrections)
