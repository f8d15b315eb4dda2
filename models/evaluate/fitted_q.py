"""Fitted Q evaluation: what a model of returns expects of episodes under the policy."""

from __future__ import annotations

from typing import ClassVar, Self

from models.evaluate.estimates import EstimatorSpec, Terms, mean_of
from models.evaluate.logged import Logged


class FittedQSpec(EstimatorSpec):
    """V = mean over episodes of Σ_a π(a|x_0) Q̂(x_0, a), with Q̂ fitted to r + γ Σ_a π(a|x') Q̂(x', a) (Le et al. 2019).

    Q̂ is `Logged.model`, which `models.evaluate.reward_model` fits. As good as that model; never a headline by itself.
    """

    kind: ClassVar[str] = "fitted_q"
    needs_model: ClassVar[bool] = True
    model_based: ClassVar[bool] = True

    def build(self) -> Self:
        """Itself: there is nothing to load."""
        return self

    def __call__(self, logged: Logged) -> Terms:
        """See `Estimator`."""
        return mean_of(logged.expected[logged.places.starts])
