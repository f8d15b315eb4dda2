"""Decision heads in `train` and `evaluate`: learned from logged decisions, judged on held-out ones."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeAlias, cast

import numpy as np
import torch

from models.artifacts import load, load_card
from models.evaluate.judgement import Judgement, judge
from models.fusion.base import Fusion, FusionSpec, seeded
from models.heads.base import DecisionHead, DecisionHeadSpec
from models.learn.deciding import ALONE, FittedPolicy, Team
from models.learn.decisions import Chosen, Decisions, read_actions, read_decisions
from models.learn.fitting import Fitted
from models.learn.split import Parts
from models.learn.teams import Finished
from pipelines.execute import Work
from pipelines.history import VALIDATION, parts, sources_of
from pipelines.job import Job
from pipelines.policies import Clock, Places, now, require_trained, settle, told, verdict_on
from pipelines.recipes import fusion_folder, policies, policy_places, problems_at
from pipelines.run import versions
from pipelines.worth import account

Which: TypeAlias = Literal["published", "candidate"]

OBSERVED_ROWS = 65_536  # from as many, a coordinate's mean is known to 0.4 % of its spread

INTENDED_USE = (
    "Choosing one of the listed actions for records like those of the training table, at the moment and with the "
    "columns that the logged decisions had, by the job file named here."
)
LIMITS = (
    "Its value is an estimate from logged decisions of the same table and time: it does not hold for people, prices or "
    "actions that the log does not know, and nothing is learned of effects beyond the reward column. Every allowed "
    "action is tried with a small probability. Not to be used without a person who decides where a wrong action cannot "
    "be taken back."
)


@dataclass(frozen=True)
class Judged:
    """One policy of a head, on held-out decisions."""

    head: str
    which: Which
    """The one that decides, or the one that was trained last and does not."""
    spec: DecisionHeadSpec
    judgement: Judgement
    card: Mapping[str, Any]
    """What training noted, with its `history`."""


@dataclass(frozen=True)
class Deciding:
    """What stands of one decision head."""

    head: str
    told: str
    """Which policy decides, since when."""
    judged: list[Judged]
    """As far as their embeddings are still made."""

    def text(self) -> str:
        """For people: a table for each policy, then which one decides."""
        return "\n\n".join([*(account(j.head, j.which, j.spec.kind, j.judgement) for j in self.judged), self.told])


@dataclass(frozen=True)
class Log:
    """The logged decisions of a job in its embedded history, part by part; travels to processes that train together."""

    features: Path
    inputs: Mapping[str, int]
    by: str
    """Column that keeps parts apart."""
    parts: Parts
    scratch: Path
    """Folder of files that vanish with what is read into them."""

    @classmethod
    def of(cls, job: Job, work: Work) -> Self:
        """The log that a job learns from."""
        inputs = {name: m.encoder.output_dim for name, m in job.modalities.items()}
        by = job.need_training("train").split.by
        return cls(work.features, inputs, by, parts(job), job.artifacts / "scratch")

    def with_actions(self, head: DecisionHeadSpec, fusion: FusionSpec) -> DecisionHeadSpec:
        """The head with the actions of its training rows."""
        return head.with_actions(read_actions(self.features, head, self.by, self.parts.training), fusion)

    def read(self, spec: DecisionHeadSpec, chosen: Chosen) -> Decisions:
        """The decisions of some groups."""
        return read_decisions(self.features, spec, self.inputs, self.by, self.scratch, chosen)


class Learned(NamedTuple):
    """What a lesson gives."""

    policy: FittedPolicy
    rows: dict[str, int]
    """Part -> decisions."""


@dataclass(frozen=True)
class Lesson:
    """Trains one policy; each process of a team reads the log itself."""

    log: Log
    spec: DecisionHeadSpec
    """With its actions and its fusion."""
    fusion: Path
    """Artifact with the weights to start from."""
    checkpoints: Path

    def __call__(self, team: Team) -> Learned:
        """See `DecisionLearner.fit`."""
        train = self.log.read(self.spec, self.log.parts.training)
        validation = self.log.read(self.spec, self.log.parts.validation)
        fusion = cast(Fusion, load(self.fusion).module)
        policy = self.spec.steps.build().fit(self.spec, fusion, train, validation, self.checkpoints, team)
        return Learned(policy, {"training": len(train), "validation": len(validation)})


def train_policies(job: Job, work: Work, clock: Clock = now) -> list[Deciding]:
    """Train every decision head from the fusion that was saved, judge it, and publish it if its rule says so.

    Raises:
        ConfigError: with the head's YAML path: its log cannot be learned from.
    """
    return [_train(job, work, name, clock) for name in policies(job)]


def _train(job: Job, work: Work, name: str, clock: Clock) -> Deciding:
    head, log, places = policies(job)[name], Log.of(job, work), policy_places(job, name)
    checkpoints = job.artifacts / "checkpoints" / name
    with problems_at(f"heads.{name}"):
        spec = log.with_actions(head, job.fusion)
        policy, rows = _learned(job, Lesson(log, spec, fusion_folder(job), checkpoints))
        held_out = log.read(spec, log.parts.held_out)
        judgement = judge(policy.spec, policy.module, held_out)
    card = _card(job, work, policy, judgement, {**rows, "held_out": len(held_out)})
    sources = sources_of(work)
    settle(places, policy, verdict_on(head, judgement), sources=sources, card=card, clock=clock)
    shutil.rmtree(checkpoints, ignore_errors=True)
    which: Which = "candidate" if places.waiting() else "published"
    noted = load_card(places.candidate if which == "candidate" else places.published)
    return Deciding(name, told(name, places), [Judged(name, which, policy.spec, judgement, noted)])


def _learned(job: Job, lesson: Lesson) -> Learned:
    """By this process, or by several, whose result is put together here from their checkpoints."""
    workers = job.need_training("train").workers
    if workers == 1:
        return lesson(ALONE)
    job.workers.fit_together(lesson, workers, job.artifacts / "scratch")
    return lesson(Finished(workers))


def _card(
    job: Job, work: Work, policy: FittedPolicy, judgement: Judgement, rows: Mapping[str, int]
) -> dict[str, object]:
    training = job.need_training("train")
    return {
        "job": job.name,
        "intended_use": INTENDED_USE,
        "limits": LIMITS,
        "data": {
            "path": training.path,
            "fingerprint": work.info.input_fingerprint,
            "rows": rows,
            "split": {**training.split.model_dump(), "validation": VALIDATION},
        },
        "embeddings": sources_of(work),
        "learner": policy.spec.steps.settings(),
        "history": [check._asdict() for check in policy.history],
        "off_policy": judgement.as_json(),
        "versions": versions(),
    }


def observed(job: Job, work: Work) -> Fitted:
    """The fusion of a job without labels: its seeded weights, with the scale of the training rows noted."""
    log, seed = Log.of(job, work), job.need_training("train").learner.seed
    spec = log.with_actions(next(iter(policies(job).values())), job.fusion)
    rows = log.read(spec, log.parts.training)
    some = np.linspace(0, len(rows) - 1, min(len(rows), OBSERVED_ROWS)).astype(np.int64)
    with seeded(seed):
        fusion = job.fusion.build()
    fusion.observe(torch.from_numpy(np.array(rows.x[some])), torch.from_numpy(rows.mask[some]))
    return Fitted(job.fusion, fusion.eval(), {}, {})


def require_policies_trained(job: Job) -> None:
    """Refuse to evaluate what was not trained, or with other settings.

    Raises:
        ConfigError: naming the head.
    """
    for name, head in policies(job).items():
        with problems_at(f"heads.{name}"):
            require_trained(f"heads.{name}", head, policy_places(job, name))


def judge_policies(job: Job, work: Work) -> list[Deciding]:
    """Judge what decides, and what was trained last and does not, on the held-out rows."""
    return [_judged(job, work, name, policy_places(job, name)) for name in policies(job)]


def _judged(job: Job, work: Work, name: str, places: Places) -> Deciding:
    found: list[Judged] = []
    sources = sources_of(work)
    with problems_at(f"heads.{name}"):
        if (standing := places.standing()) is not None and standing.sources == sources:
            found.append(_held_out(job, work, name, "published", places.published))
        if (waiting := places.waiting()) is not None and waiting.sources == sources:
            found.append(_held_out(job, work, name, "candidate", places.candidate))
    return Deciding(name, told(name, places), found)


def _held_out(job: Job, work: Work, name: str, which: Which, folder: Path) -> Judged:
    log, loaded = Log.of(job, work), load(folder)
    spec, module = cast(DecisionHeadSpec, loaded.config.spec), cast(DecisionHead, loaded.module)
    judgement = judge(spec, module, log.read(spec, log.parts.held_out))
    return Judged(name, which, spec, judgement, load_card(folder))
