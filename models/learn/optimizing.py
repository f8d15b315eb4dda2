"""Step by step towards an optimum: rows drawn at random, judged now and then, the best kept, resumed when killed."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.arrow import Int64
from models.errors import ConfigError
from models.fusion.base import seeded
from models.learn.checkpoints import Checkpoints, load_optimizer, optimizer_tensors, under
from models.learn.deciding import Check, Team
from models.learn.judging import Judged
from models.learn.losses import cosine_rate, decayed
from models.learn.steps import StepSpec
from models.spec import digest


class Objective(nn.Module):
    """What is optimized. What it must remember between steps are its parameters and buffers, and nothing else."""

    lots: int = 0
    """How many random numbers a row of a batch takes."""

    @abstractmethod
    def loss(self, rows: Tensor, lots: Tensor) -> Tensor:
        """Mean loss of a batch: the numbers `[B]` of its rows, and random numbers `[B, lots]` in [0, 1)."""

    def follow(self) -> None:
        """Called after each step: a target follows the network."""


@dataclass(frozen=True)
class Course:
    """How one stage is run."""

    stage: str
    """Its name: of its checkpoint, and of its random numbers."""
    spec: StepSpec
    steps: int
    checks: int = 1
    first: int = 0
    """Where it begins on the course of the learning rate, in steps."""
    whole: int = 0
    """How many steps that course has; 0: its own."""

    def rate(self, step: int) -> float:
        """Factor on the learning rate: half a cosine from 1 to 0."""
        return cosine_rate(self.first + step, self.whole or self.steps, 0.0)


class Stage:
    """One stage of training, from its checkpoint or from its beginning."""

    def __init__(
        self,
        objective: Objective,
        pool: Int64,
        course: Course,
        checkpoints: Checkpoints,
        team: Team,
        judge: Callable[[], Judged] = Judged,
    ) -> None:
        self.objective, self.pool, self.course = objective, torch.from_numpy(pool), course
        self.checkpoints, self.team, self.judge = checkpoints, team, judge
        self.parameters = [p for p in objective.parameters() if p.requires_grad]
        groups = decayed(self.parameters, course.spec.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=course.spec.learning_rate, fused=True)
        self.generator = torch.Generator()
        self.step, self.worse, self.losses = 0, 0, Losses()
        self.history: list[Check] = []
        self.best = Judged()
        self.best_state: dict[str, Tensor] = {}

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: all steps are done, or too many checks in a row were worse than the best."""
        return self.step >= self.course.steps or self.worse >= self.course.spec.patience

    def run(self) -> list[Check]:
        """Optimize; the objective is left at its best, in evaluation mode.

        Raises:
            ConfigError: the loss is not finite.
        """
        seed = int(digest({"seed": self.course.spec.seed, "stage": self.course.stage})[:15], 16)
        every = -(-self.course.steps // self.course.checks)
        with seeded(seed):
            self.generator.manual_seed(seed)
            self._resume()
            while not self.finished:
                self._step()
                if self.step % every == 0 or self.step == self.course.steps:
                    self._check()
                    self._save()
        self.objective.load_state_dict(self.best_state)
        self.objective.eval()
        return self.history

    def _step(self) -> None:
        course, team = self.course, self.team
        rows = self.pool[torch.randint(len(self.pool), (course.spec.batch_rows,), generator=self.generator)]  # [B]
        lots = torch.rand(len(rows), self.objective.lots, generator=self.generator)  # [B, lots]
        own = rows[team.rank :: team.size]
        self.objective.train()
        loss = self.objective.loss(own, lots[team.rank :: team.size]) * (len(own) * team.size / len(rows))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        seen = loss.detach()
        team.average([seen, *(p.grad for p in self.parameters if p.grad is not None)])
        nn.utils.clip_grad_norm_(self.parameters, course.spec.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = course.spec.learning_rate * course.rate(self.step)
        self.optimizer.step()
        self.objective.follow()
        self.step += 1
        self.losses.add(seen)

    def _check(self) -> None:
        """Note how it stands; keep this state unless an earlier one is better beyond chance."""
        loss = self.losses.mean()
        if not math.isfinite(loss):
            raise ConfigError(
                f"learning_rate must be small enough for the loss to stay finite; got "
                f"{self.course.spec.learning_rate} (stage {self.course.stage}, step {self.step})"
            )
        judged = self.judge()
        self.history.append(Check(self.step, loss, judged.value))
        if not self.best_state or judged.preferred_to(self.best):
            self.best, self.worse = judged, 0
            self.best_state = {name: tensor.clone() for name, tensor in self.objective.state_dict().items()}
        else:
            self.worse += 1

    def _save(self) -> None:
        tensors = {f"best/{name}": tensor for name, tensor in self.best_state.items()}
        if not self.finished:
            tensors |= {f"now/{name}": tensor for name, tensor in self.objective.state_dict().items()}
            tensors |= {f"optimizer/{name}": tensor for name, tensor in optimizer_tensors(self.optimizer).items()}
            tensors |= {"random/rows": self.generator.get_state(), "random/torch": torch.get_rng_state()}
            if self.best.sums is not None and self.best.counts is not None:
                tensors |= {"value/sums": torch.from_numpy(self.best.sums)}
                tensors |= {"value/counts": torch.from_numpy(self.best.counts)}
        facts = {"step": self.step, "worse": self.worse, "loss": self.best.loss, "history": self.history}
        self.checkpoints.save(self.course.stage, tensors, facts)

    def _resume(self) -> None:
        saved = self.checkpoints.load(self.course.stage)
        if saved is None:
            return
        tensors, facts = saved
        self.step, self.worse = facts["step"], facts["worse"]
        self.history = [Check(*entry) for entry in facts["history"]]
        self.best_state = under("best", tensors)
        if self.finished:
            return
        self.objective.load_state_dict(under("now", tensors))
        load_optimizer(self.optimizer, under("optimizer", tensors))
        self.generator.set_state(tensors["random/rows"])
        torch.set_rng_state(tensors["random/torch"])
        value = {name: tensor.numpy() for name, tensor in under("value", tensors).items()}
        self.best = Judged(value.get("sums"), value.get("counts"), facts["loss"])


class Losses:
    """Mean of the losses since the last check; nothing waits for a GPU in between."""

    def __init__(self) -> None:
        self._sum, self._count = torch.zeros(()), 0

    def add(self, loss: Tensor) -> None:
        """One more."""
        self._sum, self._count = self._sum.to(loss.device) + loss, self._count + 1

    def mean(self) -> float:
        """Their mean; begins anew."""
        mean = float(self._sum) / self._count
        self._sum, self._count = torch.zeros(()), 0
        return mean
