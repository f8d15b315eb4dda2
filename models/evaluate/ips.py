"""Inverse propensity scoring: mean(w r); of episodes, with the product of all their weights."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from models.evaluate.estimates import EstimatorSpec, Terms, mean_of
from models.evaluate.logged import Logged


class IpsSpec(EstimatorSpec):
    """V = mean of w r, w = π(a|x)/b(a|x): unbiased if propensities are right (Horvitz & Thompson 1952).

    Of episodes: mean of ρ_T Σ_t γ^t r_t with ρ_T = Π_t w_t, which is of use for short ones only (Precup et al. 2000).
    """

    kind: ClassVar[str] = "ips"
    needs_model: ClassVar[bool] = False

    clip: float = Field(default=math.inf, gt=0)
    """Largest weight; a smaller one trades bias for variance, and changes what is estimated."""

    def build(self) -> Self:
        """Itself: there is nothing to load."""
        return self

    def __call__(self, logged: Logged) -> Terms:
        """See `Estimator`."""
        return mean_of(np.minimum(logged.products[logged.ends], self.clip) * logged.returns)
