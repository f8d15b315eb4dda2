"""What learners of decisions begin with: the unit of values, the network with its fusion, where it is trained."""

from __future__ import annotations

import copy
import hashlib
import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.devices import resolve_device
from models.errors import ConfigError
from models.fusion.base import Fusion, seeded
from models.heads._decision import DecisionNetwork, network
from models.heads._policy import Float64
from models.heads.base import DecisionHeadSpec
from models.learn.checkpoints import Checkpoints
from models.learn.deciding import Team
from models.learn.decisions import Decisions
from models.learn.episodes import returns_to_go
from models.learn.inputs import Branch, Embedded, Fused, Inputs
from models.spec import digest

_LOG = logging.getLogger(__name__)
OBSERVED_ROWS = 20_000  # rows that tell a fusion without weights the scale of its inputs


@dataclass(frozen=True)
class Prepared:
    """A head about to be trained."""

    spec: DecisionHeadSpec
    """With the unit of values."""
    module: DecisionNetwork
    start: Fusion
    """Its fusion before training."""
    train: Decisions
    validation: Decisions
    inputs: Inputs
    """Of the training rows."""
    seen: Inputs
    """Of the validation rows; nothing is thinned."""
    device: torch.device
    checkpoints: Checkpoints
    team: Team

    @property
    def tuned(self) -> bool:
        """Whether the fusion is trained too."""
        return isinstance(self.inputs, Embedded)

    def branch(self, net: nn.Module) -> Branch:
        """A network of the head, with the head's own fusion where that is trained too."""
        return Branch(self.module.fusion if self.tuned else None, net)

    def apart(self, name: str) -> Branch:
        """A new network, with a fusion of its own where fusions are trained: nothing that it learns touches the head.

        Args:
            name: another name gives other initial weights.
        """
        seed = int(digest({"seed": self.spec.steps.seed, "network": name})[:15], 16)
        with seeded(seed):
            net = network(self.spec.fusion_spec().dim, self.spec.hidden, len(self.spec.actions))
        return Branch(copy.deepcopy(self.start) if self.tuned else None, net).to(self.device)

    def in_units(self, standardized: np.ndarray) -> Float64:
        """Outputs of a network as values in the reward's unit."""
        values: Float64 = self.spec.reward_mean + self.spec.reward_scale * standardized.astype(np.float64)
        return values


def prepare(
    head: DecisionHeadSpec,
    fusion: Fusion | None,
    train: Decisions,
    validation: Decisions,
    checkpoints: Path | None,
    team: Team,
) -> Prepared:
    """See `DecisionLearner.fit`.

    Raises:
        ConfigError: no training row can be learned from.
    """
    spec = head.with_scale(*_unit(head, train))
    with seeded(spec.steps.seed):
        module = spec.build()
    assert isinstance(module, DecisionNetwork)
    _start(module.fusion, fusion, train)
    device = resolve_device(spec.steps.device)
    # The key takes a pass over all embeddings.
    key = "" if checkpoints is None else _key(spec, module, (train, validation), device, team)
    module.to(device)
    tuned = any(parameter.requires_grad for parameter in module.fusion.parameters())
    inputs: Inputs = (
        Embedded(train, device, spec.steps.modality_dropout) if tuned else Fused(train, module.fusion, device)
    )
    return Prepared(
        spec=spec,
        module=module,
        start=copy.deepcopy(module.fusion),
        train=train,
        validation=validation,
        inputs=inputs,
        seen=Embedded(validation, device) if tuned else Fused(validation, module.fusion, device),
        device=device,
        checkpoints=Checkpoints.open(checkpoints, key, writes=team.rank == 0),
        team=team,
    )


def warn_few_backups(what: str, steps: int, tau: float, gamma: float, train: Decisions) -> None:
    """Say so if values cannot have come from far enough.

    A target that takes over τ at each step has seen steps · τ backups, and a value from k steps ahead needs k of them;
    γ^k < 5 % of it counts from 3/(1 − γ) steps on, and where all episodes ended nothing from beyond the longest.
    """
    cut_off = bool(((train.following < 0) & ~train.terminated).any())
    longest = math.inf if cut_off else float(np.bincount(train.episode).max())
    needed = min(3 / (1 - gamma), longest) if gamma else 0.0
    if steps * tau < needed:
        _LOG.warning(
            "%s: %d steps whose target takes over %g each make %.0f backups; values come from %.0f decisions ahead: "
            "give more steps or a larger share",
            *(what, steps, tau, steps * tau, needed),
        )


def _unit(head: DecisionHeadSpec, train: Decisions) -> tuple[float, float]:
    """Mean and standard deviation of what followed the decisions of the log; 0 deviation where it is all the same."""
    learnable = train.learnable
    if not learnable.any():
        raise ConfigError(
            f"at least one training row must have an action {head.action!r} that was allowed and a reward "
            f"{head.reward!r}; got none in {len(train):,} rows"
        )
    returns = returns_to_go(train.reward, train.following, head.gamma)[learnable]
    mean, std = float(returns.mean()), float(returns.std())
    return mean, std if std > 1e-9 * (1 + abs(mean)) else 0.0  # below: rounding of a constant


def _start(own: Fusion, fusion: Fusion | None, train: Decisions) -> None:
    """The given weights or, without any, the scale of the inputs."""
    if fusion is not None:
        own.load_state_dict(fusion.state_dict())
        return
    step = -(-len(train) // OBSERVED_ROWS)
    own.observe(torch.from_numpy(np.array(train.x[::step])), torch.from_numpy(train.mask[::step]))


def _key(
    spec: DecisionHeadSpec, module: nn.Module, logs: tuple[Decisions, ...], device: torch.device, team: Team
) -> str:
    """Hash of all that decides the result."""
    weights = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        weights.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest(
        {
            "spec": spec.settings(),
            "weights": weights.hexdigest(),
            "logs": [log.fingerprint() for log in logs],
            "runs_on": [device.type, team.size, torch.__version__],
        }
    )
