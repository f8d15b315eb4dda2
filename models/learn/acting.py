"""The policy gradient learner at work; `policy_gradient` describes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.arrow import Int64
from models.errors import ConfigError
from models.fusion.base import Fusion
from models.heads._policy import Float64
from models.heads.base import DecisionHeadSpec
from models.learn.deciding import ALONE, Check, FittedPolicy, Team
from models.learn.decisions import Decisions
from models.learn.inputs import Branch, Inputs
from models.learn.judging import Judged, judged
from models.learn.optimizing import Course, Objective, Stage
from models.learn.policy_gradient import PolicyGradientSpec
from models.learn.preparing import Prepared, prepare, warn_few_backups
from models.learn.split import group_positions
from models.learn.values import FORBIDDEN, Backups, Evaluation, fit_values


class PolicyLearner:
    """Climbs the off-policy value of a softmax policy, then learns the values of the policy that is published."""

    def __init__(self, spec: PolicyGradientSpec) -> None:
        self.spec = spec

    def fit(
        self,
        head: DecisionHeadSpec,
        fusion: Fusion | None,
        train: Decisions,
        validation: Decisions,
        checkpoints: Path | None = None,
        team: Team = ALONE,
    ) -> FittedPolicy:
        """See `DecisionLearner.fit`.

        Raises:
            ConfigError: no row has a propensity in (0, 1], or there are too few groups for cross-fitting.
        """
        if not train.weighable.any():
            raise ConfigError(
                f"propensity must be a probability in at least one training row that can be learned from; got none in "
                f"{len(train):,} rows; q_learning needs no propensities"
            )
        prepared = prepare(head, fusion, train, validation, checkpoints, team)
        history = _in_passes(prepared, self.spec) if head.gamma else _at_once(prepared, self.spec)
        fit_values(prepared)
        return FittedPolicy(prepared.spec, prepared.module.cpu().eval(), history)


class Actor(Objective):
    """A policy π = ε/|allowed| + (1 − ε) softmax over allowed, and the entropy of that softmax."""

    def __init__(self, prepared: Prepared, branch: Branch, entropy: float) -> None:
        super().__init__()
        log, place = prepared.train, prepared.device
        self.branch, self.inputs, self.entropy = branch, prepared.inputs, entropy
        self.lots, self.epsilon = prepared.inputs.lots, prepared.spec.epsilon
        self.allowed = torch.from_numpy(log.allowed).to(place)  # [N, A]
        self.action = torch.from_numpy(np.maximum(log.action, 0)).to(place)  # [N]
        self.propensity = _tensor(log.propensity, place)  # [N]

    def policy(self, rows: Tensor, lots: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, A]` probabilities, and the mean entropy."""
        allowed = self.allowed[rows]
        preferences = self.inputs(self.branch, rows, lots).masked_fill(~allowed, FORBIDDEN)
        logs = torch.log_softmax(preferences, dim=1)
        soft = logs.exp()
        entropy = -(soft * logs).sum(dim=1).mean()
        return self.epsilon * allowed / allowed.sum(dim=1, keepdim=True) + (1 - self.epsilon) * soft, entropy

    def taken(self, values: Tensor, rows: Tensor) -> Tensor:
        """`[B]` of `[B, A]`: of the actions that were taken."""
        return values.gather(1, self.action[rows, None]).squeeze(1)


class DoublyRobustActor(Actor):
    """− mean[Σ_a π q̂ + min(w, c)(r − q̂)] − β H, w = π(a|x)/b."""

    def __init__(self, prepared: Prepared, branch: Branch, spec: PolicyGradientSpec, model: Float64) -> None:
        super().__init__(prepared, branch, spec.entropy)
        log, unit = prepared.train, prepared.spec
        self.clip = spec.weight_clip
        self.model = _tensor(model, prepared.device)  # [N, A]
        self.reward = _tensor((log.reward - unit.reward_mean) / unit.reward_scale, prepared.device)  # [N]

    def loss(self, rows: Tensor, lots: Tensor) -> Tensor:
        """See `Objective.loss`."""
        policy, entropy = self.policy(rows, lots)
        model = self.model[rows]
        weights = (self.taken(policy, rows) / self.propensity[rows]).clamp(max=self.clip)
        value = (policy * model).sum(dim=1) + weights * (self.reward[rows] - self.taken(model, rows))
        return -value.mean() - self.entropy * entropy


class ClippedActor(Actor):
    """− mean min(ρ, 1) min(u A, clip(u, 1 ± δ) A) − β H, u = π/π_last, A = Q − Σ_a π_last Q, ρ = π_last/b."""

    def __init__(
        self, prepared: Prepared, branch: Branch, spec: PolicyGradientSpec, policy: Float64, values: Float64
    ) -> None:
        super().__init__(prepared, branch, spec.entropy)
        log, rows = prepared.train, np.arange(len(prepared.train))
        taken = np.maximum(log.action, 0)
        self.clip = spec.ratio_clip
        self.last = _tensor(policy[rows, taken], prepared.device)  # [N]
        self.advantage = _tensor(values[rows, taken] - (policy * values).sum(axis=1), prepared.device)  # [N]
        self.weights = (self.last / self.propensity).clamp(max=1.0)  # [N]

    def loss(self, rows: Tensor, lots: Tensor) -> Tensor:
        """See `Objective.loss`."""
        policy, entropy = self.policy(rows, lots)
        ratio, advantage = self.taken(policy, rows) / self.last[rows], self.advantage[rows]
        clipped = ratio.clamp(1 - self.clip, 1 + self.clip)
        gain = torch.minimum(ratio * advantage, clipped * advantage)
        return -(self.weights[rows] * gain).mean() - self.entropy * entropy


def _at_once(prepared: Prepared, spec: PolicyGradientSpec) -> list[Check]:
    """Single decisions: the doubly robust gradient, with rewards that models of other groups expect."""
    train, validation = prepared.train, prepared.validation
    model, expected = _cross_fitted(prepared, spec)
    branch = prepared.branch(prepared.module.preferences)

    def judge() -> Judged:
        policy = prepared.spec.policy(prepared.seen.outputs(branch), validation.allowed)
        return judged(validation, policy, prepared.in_units(expected), 0.0)

    course = Course("policy", spec, spec.steps, spec.checks)
    actor = DoublyRobustActor(prepared, branch, spec, model)
    return Stage(actor, np.flatnonzero(train.weighable), course, prepared.checkpoints, prepared.team, judge).run()


def _cross_fitted(prepared: Prepared, spec: PolicyGradientSpec) -> tuple[Float64, Float64]:
    """Standardized rewards that are expected: of training rows `[N, A]` by the model of the other parts' groups, of
    validation rows by the mean of all models."""
    train = prepared.train
    part: Int64 = (group_positions(train.groups, f"fold {spec.seed}") * spec.folds).astype(np.int64)
    backups, uniform = Backups.of(prepared), np.zeros(train.allowed.shape)  # γ = 0: no policy is looked at
    model = np.zeros(train.allowed.shape)
    expected = np.zeros(prepared.validation.allowed.shape)
    pool = backups.pool(train)
    for fold in range(spec.folds):
        others = pool[part[pool] != fold]
        if not len(others):
            raise ConfigError(f"training rows must lie in at least {spec.folds} groups (folds); got too few")
        branch = prepared.apart(f"model {fold}")
        evaluation = Evaluation(prepared, branch, prepared.inputs, prepared.seen, backups)
        evaluation.follow(f"model-{fold}", uniform, prepared.spec.steps.value_steps, others)
        rows = part == fold
        model[rows] = prepared.inputs.outputs(branch)[rows]
        expected += prepared.seen.outputs(branch) / spec.folds
    return model, expected


def _in_passes(prepared: Prepared, spec: PolicyGradientSpec) -> list[Check]:
    """Episodes: a critic learns the policy's values, the policy climbs them for a pass, the critic follows."""
    train, inputs = prepared.train, prepared.inputs
    warn_few_backups("policy_gradient", spec.value_steps, spec.value_tau, prepared.spec.gamma, train)
    branch = prepared.branch(prepared.module.preferences)
    critic = Evaluation(prepared, prepared.apart("critic"), inputs, prepared.seen, Backups.of(prepared))
    steps = -(-spec.steps // spec.passes)
    policy = _policy(prepared, inputs, branch)
    critic.follow("critic-0", policy, spec.value_steps)
    history, best, best_state, worse = list[Check](), Judged(), dict[str, Tensor](), 0
    for number in range(1, spec.passes + 1):
        actor = ClippedActor(prepared, branch, spec, policy, inputs.outputs(critic.branch).astype(np.float64))
        course = Course(f"policy-{number}", spec, steps, first=steps * (number - 1), whole=steps * spec.passes)
        rows = np.flatnonzero(train.weighable)
        [check] = Stage(actor, rows, course, prepared.checkpoints, prepared.team).run()
        policy = _policy(prepared, inputs, branch)
        critic.follow(f"critic-{number}", policy, -(-spec.value_steps // spec.passes))
        now = _judge(prepared, branch, critic)
        history.append(Check(steps * number, check.loss, now.value))
        if not best_state or now.preferred_to(best):
            best, best_state, worse = now, {k: v.clone() for k, v in branch.state_dict().items()}, 0
        else:
            worse += 1
        if worse >= spec.patience:
            break
    branch.load_state_dict(best_state)
    return history


def _policy(prepared: Prepared, inputs: Inputs, branch: Branch) -> Float64:
    return prepared.spec.policy(inputs.outputs(branch), prepared.train.allowed)


def _judge(prepared: Prepared, branch: Branch, critic: Evaluation) -> Judged:
    policy = prepared.spec.policy(prepared.seen.outputs(branch), prepared.validation.allowed)
    expected = prepared.in_units(prepared.seen.outputs(critic.branch))
    return judged(prepared.validation, policy, expected, prepared.spec.gamma)


def _tensor(values: Float64, device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)
