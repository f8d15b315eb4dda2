"""What every learner of decisions promises, and what it gives: a policy, its values, and how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from models.arrow import Float32
from models.fusion.base import Fusion
from models.heads._policy import Float64
from models.heads.base import DecisionHead, DecisionHeadSpec
from models.learn.decisions import Decisions
from models.learn.network import EVALUATION_ROWS


class Check(NamedTuple):
    """One line of a learner's history."""

    step: int
    loss: float
    """Mean over the steps since the last check."""
    value: float | None
    """What the policy is worth on validation rows, estimated off-policy; none where the log does not allow it."""


@dataclass(frozen=True)
class FittedPolicy:
    """What a learner of decisions gives: a module in evaluation mode, and the Spec that rebuilds it."""

    spec: DecisionHeadSpec
    module: DecisionHead
    history: list[Check] = field(default_factory=list)


class Team(Protocol):
    """Processes that train the same network, each on its part of every batch."""

    rank: int
    """This process's number, from 0."""
    size: int
    """How many there are."""

    def average(self, gradients: Sequence[Tensor]) -> None:
        """Replace each gradient by its mean over all processes, which call this with the same shapes in turn."""
        ...


class Alone:
    """One process: nothing is to be averaged."""

    rank = 0
    size = 1

    def average(self, gradients: Sequence[Tensor]) -> None:
        """They stay as they are."""


ALONE: Final = Alone()


class DecisionLearner(Protocol):
    """Fits a decision head through its own copy of the fusion."""

    def fit(
        self,
        head: DecisionHeadSpec,
        fusion: Fusion | None,
        train: Decisions,
        validation: Decisions,
        checkpoints: Path | None = None,
        team: Team = ALONE,
    ) -> FittedPolicy:
        """A policy that is learned from `train` and stopped on `validation`.

        Args:
            head: with its actions and its fusion filled in (`DecisionHeadSpec.with_actions`).
            fusion: the trained weights that the head's own copy starts from; none: those of its seed.
            train: logged decisions to learn from.
            validation: those of other groups.
            checkpoints: folder of what a killed run left behind and this one goes on from; same result as undisturbed.
            team: the processes that train together; all get the same arguments, and the same result.

        Raises:
            ConfigError: nothing can be learned from these rows.
        """
        ...


def policy_of(spec: DecisionHeadSpec, module: DecisionHead, decisions: Decisions) -> Float64:
    """`[N, A]` probabilities of the published policy on these rows."""
    return spec.policy(outputs_of(module, decisions)[:, : len(spec.actions)], decisions.allowed)


def values_of(spec: DecisionHeadSpec, module: DecisionHead, decisions: Decisions) -> Float32:
    """`[N, A]` what each action is expected to bring on these rows, the published policy deciding from then on."""
    return outputs_of(module, decisions)[:, len(spec.actions) :]


@torch.inference_mode()
def outputs_of(module: DecisionHead, decisions: Decisions) -> Float32:
    """`[N, 2 A]` preferences and values, in bounded memory."""
    found = []
    for start in range(0, len(decisions), EVALUATION_ROWS):
        x = torch.from_numpy(np.array(decisions.x[start : start + EVALUATION_ROWS]))  # [B, M, D]
        found.append(module(x, torch.from_numpy(decisions.mask[start : start + EVALUATION_ROWS])).numpy())
    width = module(*nothing_of(decisions)).shape[1] if not found else 0
    return np.concatenate(found) if found else np.zeros((0, width), np.float32)


def nothing_of(decisions: Decisions) -> tuple[Tensor, Tensor]:
    """One row of zeros in which every modality is present: what a module's shapes are learned from."""
    return torch.zeros(1, *decisions.x.shape[1:]), torch.ones(1, decisions.mask.shape[1], dtype=torch.bool)
