"""Policy gradient head: acts by a learned softmax over the allowed actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from models.arrow import Bool, Float32
from models.heads._decision_spec import DecisionHeadSpec
from models.heads._policy import Float64, softmax
from models.learn.policy_gradient import PolicyGradientSpec

if TYPE_CHECKING:
    from models.heads.base import DecisionHead


class PolicyGradientHeadSpec(DecisionHeadSpec):
    """π(a|x) = ε/|allowed| + (1 − ε) softmax over allowed of f(x)."""

    kind: ClassVar[str] = "policy_gradient"

    learner: PolicyGradientSpec = PolicyGradientSpec()
    """How it is trained."""

    @model_validator(mode="after")
    def _weights_need_propensities(self) -> Self:
        if self.propensity is None:
            raise ValueError("propensity must name a column: the gradient weighs logged actions by it; got none")
        return self

    @property
    def steps(self) -> PolicyGradientSpec:
        """How it is trained."""
        return self.learner

    def preferred(self, preferences: Float32, allowed: Bool) -> Float64:
        """The softmax."""
        return softmax(preferences, allowed)

    def build(self) -> DecisionHead:
        """The head with its fusion.

        Raises:
            ConfigError: it was not trained.
        """
        self.fusion_spec()
        from models.heads._decision import DecisionNetwork

        return DecisionNetwork(self)
