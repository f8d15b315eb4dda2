"""Q-learning head: acts on the largest learned value, and tries every allowed action with a small probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from models.arrow import Bool, Float32
from models.heads._decision_spec import DecisionHeadSpec
from models.heads._policy import Float64, greedy
from models.learn.q_learning import QLearningSpec

if TYPE_CHECKING:
    from models.heads.base import DecisionHead


class QLearningHeadSpec(DecisionHeadSpec):
    """π(a|x) = ε/|allowed| + (1 − ε) 1[a = argmax over allowed Q(x,·)]."""

    kind: ClassVar[str] = "q_learning"

    learner: QLearningSpec = QLearningSpec()
    """How it is trained."""

    @property
    def steps(self) -> QLearningSpec:
        """How it is trained."""
        return self.learner

    def preferred(self, preferences: Float32, allowed: Bool) -> Float64:
        """The largest."""
        return greedy(preferences, allowed)

    def build(self) -> DecisionHead:
        """The head with its fusion.

        Raises:
            ConfigError: it was not trained.
        """
        self.fusion_spec()
        from models.heads._decision import DecisionNetwork

        return DecisionNetwork(self)
