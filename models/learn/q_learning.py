"""Q-learning from logged decisions: double DQN with a conservative term, n-step returns and action masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.learn.steps import StepSpec

if TYPE_CHECKING:
    from models.learn.deciding import DecisionLearner


class QLearningSpec(StepSpec):
    """Huber(Q(s,a) − r − γ Q̄(s', argmax over allowed Q(s',·))) + α mean[logsumexp over allowed Q(s,·) − Q(s,a)].

    Double DQN (arXiv:1509.06461); the term of α is CQL(H) (arXiv:2006.04779). With γ = 0 it is a regression of rewards.
    """

    kind: ClassVar[str] = "q_learning"

    conservative: float = Field(default=0.1, ge=0)
    """α: how strongly actions that the log seldom holds are held down; 0 is plain double Q-learning."""
    n_step: int = Field(default=1, ge=1, le=1000)
    """Rewards that are added up before the network's own estimate takes over. More than 1 leans on what was logged."""
    tau: float = Field(default=0.02, gt=0, le=1)
    """Share of the network that the target network takes over at each step."""
    huber: float = Field(default=1.0, gt=0)
    """Error, in standard deviations of the return, from which on it counts linearly; matters only where γ > 0."""

    def build(self) -> DecisionLearner:
        """The learner."""
        from models.learn.q_fitting import QLearner

        return QLearner(self)
