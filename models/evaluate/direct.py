"""Direct method: what a reward model expects under the policy."""

from __future__ import annotations

from typing import ClassVar, Self

from models.evaluate.estimates import EstimatorSpec, Terms, mean_of
from models.evaluate.logged import Logged


class DirectSpec(EstimatorSpec):
    """V = mean of Σ_a π(a|x) q̂(x, a) over first decisions: as good as the model; never a headline by itself.

    Where all decisions stand alone, that is over all of them; what it is of episodes, `fitted_q` says.
    """

    kind: ClassVar[str] = "direct"
    needs_model: ClassVar[bool] = True
    model_based: ClassVar[bool] = True

    def build(self) -> Self:
        """Itself: there is nothing to load."""
        return self

    def __call__(self, logged: Logged) -> Terms:
        """See `Estimator`."""
        return mean_of(logged.expected[logged.places.starts])
