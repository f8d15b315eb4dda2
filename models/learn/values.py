"""Values learned from backups: of the best decisions (Q-learning), or of a given policy (fitted Q evaluation)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from models.arrow import Bool, Float32, Int64
from models.heads._policy import Float64
from models.learn.decisions import Decisions
from models.learn.episodes import Backup, backups
from models.learn.inputs import Branch, Fused, Inputs
from models.learn.judging import Judged
from models.learn.optimizing import Course, Objective, Stage
from models.learn.preparing import Prepared, warn_few_backups

FORBIDDEN: Final = -1e9  # preference of an action that is not allowed: exp of it is 0, and it is never the largest


@dataclass(frozen=True)
class Backups:
    """What each row's value is learned from, in standard deviations from the mean return."""

    backup: Backup
    action: Tensor  # [N]
    known: Tensor  # [N] float32, the part that the log holds
    state: Tensor  # [N] on the CPU, row from which on values are estimated, -1: nothing follows
    discount: Tensor  # [N] float32, 0 where nothing follows
    offset: float
    """Mean return in standard deviations: what an estimate of 0 stands for."""
    allowed: Tensor  # [N, A]

    @classmethod
    def of(cls, prepared: Prepared, steps: int = 1) -> Backups:
        """Of the training rows, over at most `steps` rewards."""
        spec, log, place = prepared.spec, prepared.train, prepared.device
        backup = backups(log.reward, log.following, log.terminated, spec.gamma, steps)
        known = (backup.reward - spec.reward_mean) / spec.reward_scale
        return cls(
            backup=backup,
            action=torch.from_numpy(np.maximum(log.action, 0)).to(place),
            known=torch.from_numpy(known.astype(np.float32)).to(place),
            state=torch.from_numpy(backup.state),
            discount=torch.from_numpy(backup.discount.astype(np.float32)).to(place),
            offset=spec.reward_mean / spec.reward_scale,
            allowed=torch.from_numpy(log.allowed).to(place),
        )

    def pool(self, log: Decisions) -> Int64:
        """Numbers of the rows that can be learned from: what follows is known, and something is allowed there."""
        state = self.backup.state
        goes_on: Bool = (state < 0) | np.asarray(log.allowed.any(axis=1))[np.maximum(state, 0)]
        return np.flatnonzero(log.learnable & self.backup.learnable & goes_on)


Ahead = Callable[[Callable[[], Tensor], Tensor, Tensor], Tensor]
"""Values `[b]` of rows `[b]` from what the network (if it is asked) and the target `[b, A]` say of them."""


def best_ahead(allowed: Tensor) -> Ahead:
    """Double Q-learning: the target's value of the action that the network likes best among the allowed."""

    def ahead(network: Callable[[], Tensor], target: Tensor, rows: Tensor) -> Tensor:
        best = network().masked_fill(~allowed[rows], FORBIDDEN).argmax(dim=1, keepdim=True)
        return target.gather(1, best).squeeze(1)

    return ahead


def expected_ahead(policy: Float64, device: torch.device) -> Ahead:
    """Fitted Q evaluation: Σ_a π(a|s) Q̄(s, a) for the policy `[N, A]`."""
    probabilities = torch.from_numpy(policy.astype(np.float32)).to(device)

    def ahead(_: Callable[[], Tensor], target: Tensor, rows: Tensor) -> Tensor:
        return (probabilities[rows] * target).sum(dim=1)

    return ahead


class BackupObjective(Objective):
    """error(Q(s, a) − known − discount · Q̄ ahead) + α · mean[logsumexp over allowed Q(s, ·) − Q(s, a)]."""

    def __init__(
        self,
        branch: Branch,
        inputs: Inputs,
        backups: Backups,
        ahead: Ahead,
        *,
        tau: float,
        huber: float | None = None,
        conservative: float = 0.0,
    ) -> None:
        super().__init__()
        self.branch, self.inputs, self.backups, self.ahead = branch, inputs, backups, ahead
        self.lots = inputs.lots
        self.huber, self.conservative = huber, conservative
        # Without anything ahead (a bandit) there is nothing to follow.
        self.target = copy.deepcopy(branch) if bool((backups.state >= 0).any()) else None
        if self.target is not None:
            self.target.requires_grad_(False)
        self._average = get_ema_multi_avg_fn(1 - tau)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def loss(self, rows: Tensor, lots: Tensor) -> Tensor:
        """See `Objective.loss`."""
        q = self.inputs(self.branch, rows, lots)  # [B, A]
        chosen = q.gather(1, self.backups.action[rows, None]).squeeze(1)  # [B]
        target = self._target(rows)
        if self.huber is None:
            loss = 0.5 * functional.mse_loss(chosen, target)
        else:
            loss = functional.huber_loss(chosen, target, delta=self.huber)
        if self.conservative:
            allowed = q.masked_fill(~self.backups.allowed[rows], FORBIDDEN)
            loss = loss + self.conservative * (torch.logsumexp(allowed, dim=1) - chosen).mean()
        return loss

    @torch.no_grad()
    def follow(self) -> None:
        """The target takes over its share; buffers are copied, as no average of them means anything."""
        if self.target is None:
            return
        self._average(list(self.target.parameters()), list(self.branch.parameters()), 0)
        for buffer, source in zip(self.target.buffers(), self.branch.buffers(), strict=True):
            buffer.copy_(source)

    @torch.no_grad()
    def _target(self, rows: Tensor) -> Tensor:
        """`[B]` what Q(s, a) should be."""
        known, state = self.backups.known[rows], self.backups.state[rows]
        goes_on = state >= 0
        if self.target is None or not bool(goes_on.any()):
            return known
        after = state[goes_on]
        self.branch.eval()
        self.target.eval()
        seen = self.ahead(lambda: self.inputs(self.branch, after), self.inputs(self.target, after), after)
        self.branch.train()
        values = torch.zeros_like(known)
        values[goes_on] = seen + self.backups.offset
        return known + self.backups.discount[rows] * values


def regression_loss(prepared: Prepared, outputs: Float32, conservative: float = 0.0) -> float | None:
    """The loss on validation rows where a value is a reward (γ = 0); else no loss tells how good values are.

    Args:
        prepared: holds the rows.
        outputs: `[N, A]` on them.
        conservative: α.
    """
    log, rows = prepared.validation, np.flatnonzero(prepared.validation.learnable)
    if prepared.spec.gamma or not len(rows):
        return None
    wanted = (log.reward[rows] - prepared.spec.reward_mean) / prepared.spec.reward_scale
    chosen = outputs[rows, log.action[rows]]
    held_down = logsumexp(np.where(log.allowed[rows], outputs[rows], FORBIDDEN)) - chosen
    return float((0.5 * np.square(chosen - wanted) + conservative * held_down).mean())


def logsumexp(values: Float32) -> Float32:
    """`[n]` log Σ exp of `[n, A]`."""
    top = values.max(axis=1)
    summed: Float32 = top + np.log(np.exp(values - top[:, None]).sum(axis=1))
    return summed


@dataclass(frozen=True)
class Evaluation:
    """Fitted Q evaluation: a branch learns the values of a policy on the training rows."""

    prepared: Prepared
    branch: Branch
    inputs: Inputs
    seen: Inputs
    backups: Backups

    def follow(self, stage: str, policy: Float64, steps: int, pool: Int64 | None = None) -> None:
        """Learn the values of this policy, beginning with what the branch says now.

        Args:
            stage: the name of its checkpoint.
            policy: `[N, A]` on the training rows.
            steps: optimizer steps.
            pool: numbers of the rows that are learned from; by default all that can be.
        """
        spec = self.prepared.spec
        objective = BackupObjective(
            self.branch,
            self.inputs,
            self.backups,
            expected_ahead(policy, self.prepared.device),
            tau=spec.steps.value_tau,
        )
        course = Course(stage, spec.steps, steps, checks=spec.steps.checks)
        rows = self.backups.pool(self.prepared.train) if pool is None else pool
        Stage(objective, rows, course, self.prepared.checkpoints, self.prepared.team, self._judge).run()

    def _judge(self) -> Judged:
        loss = None if self.prepared.spec.gamma else regression_loss(self.prepared, self.seen.outputs(self.branch))
        return Judged(loss=loss)


def fit_values(prepared: Prepared) -> None:
    """Learn the values that the head publishes: of its policy, on what its fusion gives, which stays as it is."""
    spec, module = prepared.spec, prepared.module
    steps = spec.steps
    warn_few_backups("fitted evaluation", steps.value_steps, steps.value_tau, spec.gamma, prepared.train)
    inputs, seen = (
        (Fused(log, module.fusion, prepared.device) for log in (prepared.train, prepared.validation))
        if prepared.tuned
        else (prepared.inputs, prepared.seen)
    )
    policy = spec.policy(inputs.outputs(Branch(None, module.preferences)), prepared.train.allowed)
    evaluation = Evaluation(prepared, Branch(None, module.values), inputs, seen, Backups.of(prepared))
    evaluation.follow("values", policy, steps.value_steps)
