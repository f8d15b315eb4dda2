"""Policy gradient from logged decisions: doubly robust, weights clipped, in passes that stay near the last policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from models.learn.steps import StepSpec

if TYPE_CHECKING:
    from models.learn.deciding import DecisionLearner


class PolicyGradientSpec(StepSpec):
    """Single decisions: maximise mean[Σ_a π q̂ + min(w, c)(r − q̂)] + β H(π), w = π(a|x)/b, q̂ cross-fitted.

    The value that the doubly robust estimator sees (Dudík, Langford & Li 2011), climbed by its gradient; q̂ = 0 would
    be off-policy REINFORCE. Episodes: Σ_t min(ρ_t, 1) min(u A, clip(u, 1 ± δ) A) with u = π/π_last,
    A = Q − Σ_a π_last Q and ρ_t = π_last(a_t)/b_t: off-policy actor-critic (arXiv:1205.4839) with PPO's clipping
    (arXiv:1707.06347).
    """

    kind: ClassVar[str] = "policy_gradient"

    weight_clip: float = Field(default=10.0, ge=1)
    """c: largest importance weight; bounds the variance, at the price of a bias."""
    entropy: float = Field(default=0.01, ge=0)
    """β: what a nat of entropy is worth, in standard deviations of the return."""
    ratio_clip: float = Field(default=0.2, gt=0, lt=1)
    """δ: how far a pass may move a probability from where it began, as a share of it; episodes only."""
    passes: int = Field(default=10, ge=1)
    """Passes over the steps: after each, the critic follows the policy and the ratios start at 1; episodes only."""
    folds: int = Field(default=2, ge=2, le=10)
    """Parts of the groups, for each of which q̂ is learned from the others."""

    def build(self) -> DecisionLearner:
        """The learner."""
        from models.learn.acting import PolicyLearner

        return PolicyLearner(self)
