"""The Q-learner at work; `q_learning` describes it."""

from __future__ import annotations

from pathlib import Path

from models.fusion.base import Fusion
from models.heads.base import DecisionHeadSpec
from models.learn.deciding import ALONE, FittedPolicy, Team
from models.learn.decisions import Decisions
from models.learn.inputs import Branch
from models.learn.judging import Judged, judged
from models.learn.optimizing import Course, Stage
from models.learn.preparing import Prepared, prepare, warn_few_backups
from models.learn.q_learning import QLearningSpec
from models.learn.values import BackupObjective, Backups, best_ahead, fit_values, regression_loss


class QLearner:
    """Learns Q(s, a) as the head's preferences, then the values of the policy that is published."""

    def __init__(self, spec: QLearningSpec) -> None:
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
        """See `DecisionLearner.fit`."""
        prepared = prepare(head, fusion, train, validation, checkpoints, team)
        warn_few_backups("q_learning", self.spec.steps, self.spec.tau, head.gamma, train)
        branch, backups = prepared.branch(prepared.module.preferences), Backups.of(prepared, self.spec.n_step)
        objective = BackupObjective(
            branch,
            prepared.inputs,
            backups,
            best_ahead(backups.allowed),
            tau=self.spec.tau,
            huber=self.spec.huber if head.gamma else None,
            conservative=self.spec.conservative,
        )
        course = Course("policy", self.spec, self.spec.steps, self.spec.checks)
        stage = Stage(
            objective,
            backups.pool(train),
            course,
            prepared.checkpoints,
            team,
            lambda: judge(prepared, branch, self.spec.conservative),
        )
        history = stage.run()
        fit_values(prepared)
        return FittedPolicy(prepared.spec, prepared.module.cpu().eval(), history)


def judge(prepared: Prepared, branch: Branch, conservative: float) -> Judged:
    """Value on validation rows of the policy that prefers what the branch says, with these preferences as the model."""
    q = prepared.seen.outputs(branch)
    policy = prepared.spec.policy(q, prepared.validation.allowed)
    loss = regression_loss(prepared, q, conservative)
    return judged(prepared.validation, policy, prepared.in_units(q), prepared.spec.gamma, loss)
