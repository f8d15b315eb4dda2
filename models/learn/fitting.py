"""The supervised learner at work, and what it gives; `supervised` describes it."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from models.errors import ConfigError
from models.fusion.base import Fusion, FusionSpec, seeded
from models.heads.base import LabelHead, LabelHeadSpec
from models.learn.data import Examples
from models.learn.losses import cosine_rate, decayed, modality_dropout
from models.learn.network import JointNetwork, Rows, fuse, with_targets
from models.learn.supervised import SupervisedSpec


class Epoch(NamedTuple):
    """One line of the training's history."""

    epoch: int
    train_loss: float
    validation_loss: float


@dataclass(frozen=True)
class Fitted:
    """What training gives: modules in evaluation mode, and the Specs that rebuild them."""

    fusion_spec: FusionSpec
    fusion: Fusion
    head_specs: dict[str, LabelHeadSpec]
    heads: dict[str, LabelHead]
    history: list[Epoch] = field(default_factory=list)

    @torch.inference_mode()
    def fuse(self, examples: Examples) -> Tensor:
        """`[N, F]` fused vectors of rows that each have at least one modality."""
        return fuse(self.fusion, examples.x, examples.mask)

    @torch.inference_mode()
    def scores(self, examples: Examples, *, calibrated: bool = True) -> dict[str, Tensor]:
        """Head -> `[N]` or `[N, K]` published scores (or as they were before calibration) of rows with a modality."""
        z = self.fuse(examples)
        return {name: head.scores(z, calibrated=calibrated) for name, head in self.heads.items()}


class Learner(Protocol):
    """Fits a fusion and its heads."""

    def fit(
        self, fusion: FusionSpec, heads: Mapping[str, LabelHeadSpec], train: Examples, validation: Examples
    ) -> Fitted:
        """Modules that are fitted to `train`, stopped and calibrated on `validation`."""
        ...


class SupervisedLearner:
    """Minimises Σ over heads of [ loss(z) + 0.1 · mean over present m of loss_m(h_m) ]."""

    def __init__(self, spec: SupervisedSpec) -> None:
        self.spec = spec

    def fit(
        self, fusion: FusionSpec, heads: Mapping[str, LabelHeadSpec], train: Examples, validation: Examples
    ) -> Fitted:
        """Fit fusion and heads; rows with a null label are left out for that head.

        Args:
            fusion: its `inputs` are taken from `train`; frozen if not `trained`.
            heads: name -> Spec; `input_dim` and what labels teach are filled in here.
            train: rows to learn from.
            validation: other groups' rows: early stopping and calibration.

        Raises:
            ConfigError: there is no head, or a head's labels cannot be learned from.
        """
        if not heads:
            raise ConfigError("heads must name at least one head to train; got none")
        fusion, specs = with_learned(fusion, heads, train)
        with seeded(self.spec.seed):
            network = JointNetwork(fusion, specs)
            if fusion.trained:
                network.fusion.observe(train.x, train.mask)
            history = self._optimize(network, with_targets(train, specs), with_targets(validation, specs))
            network.calibrate(with_targets(validation, specs))
        return Fitted(fusion, network.fusion, specs, dict(network.label_heads()), history)

    def _optimize(self, network: JointNetwork, train: Rows, validation: Rows) -> list[Epoch]:
        spec, generator = self.spec, torch.Generator().manual_seed(self.spec.seed)
        epoch_steps = -(-len(train.mask) // spec.batch_rows)
        epochs = min(spec.epochs, -(-spec.steps // epoch_steps))
        descent = Descent(network, spec, epochs * epoch_steps)
        history: list[Epoch] = []
        best, best_epoch, best_state = float("inf"), 0, network.state_dict()
        for epoch in range(epochs):
            loss = self._epoch(descent, train, generator)
            judged = descent.mean.judge(validation)
            history.append(Epoch(epoch, loss, judged))
            if not math.isfinite(judged):
                raise ConfigError(f"training.learning_rate must be small enough to converge; got {spec.learning_rate}")
            if judged < best:
                best, best_epoch, best_state = judged, epoch, copy.deepcopy(descent.mean.state_dict())
            elif epoch - best_epoch >= spec.patience:
                break
        network.load_state_dict(best_state)
        network.eval()
        return history

    def _epoch(self, descent: Descent, train: Rows, generator: torch.Generator) -> float:
        """One pass over the training rows in a fresh order; the mean loss."""
        descent.network.train()
        order = torch.randperm(len(train.mask), generator=generator)
        total = 0.0
        for rows in torch.split(order, self.spec.batch_rows):
            batch = train.take(rows)
            shown = modality_dropout(batch.mask, self.spec.modality_dropout, generator)
            loss = descent.network.loss(batch._replace(mask=shown), self.spec.unimodal_weight)
            descent.step(loss)
            total += loss.item() * len(rows)
        return total / len(order)


class Descent:
    """Steps of AdamW, and the running mean of the weights (Polyak & Juditsky 1992), exponentially weighted."""

    def __init__(self, network: JointNetwork, spec: SupervisedSpec, steps: int) -> None:
        self.network, self.mean = network, copy.deepcopy(network)
        self._spec, self._taken = spec, 0
        self._optimizer = _optimizer(network, spec)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: cosine_rate(step, steps, spec.warmup)
        )

    def step(self, loss: Tensor) -> None:
        """One step down this loss."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        nn.utils.clip_grad_norm_(self.network.parameters(), self._spec.clip)
        self._optimizer.step()
        self._schedule.step()
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        """Over all steps at first, over the last 1 / (1 − averaging) later."""
        self._taken += 1
        fresh = max(1 - self._spec.averaging, 1 / self._taken)
        for mean, weight in zip(self.mean.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(weight, fresh)


def with_learned(
    fusion: FusionSpec, heads: Mapping[str, LabelHeadSpec], train: Examples
) -> tuple[FusionSpec, dict[str, LabelHeadSpec]]:
    """The Specs with what training rows teach: the fusion's inputs; the heads' classes, scale and what they read."""
    fusion = type(fusion).model_validate({**fusion.model_dump(), "inputs": train.inputs})
    fitted = {name: head.fitted(train.labels[head.label], fusion.dim) for name, head in heads.items()}
    return fusion, {name: spec.model_copy(update={"late": fusion.late}) for name, spec in fitted.items()}


def _optimizer(network: JointNetwork, spec: SupervisedSpec) -> torch.optim.Optimizer:
    """AdamW at each part's own rate."""
    groups = [
        {**group, "lr": spec.learning_rate * rate}
        for module, rate in network.rates()
        for group in decayed(module.parameters(), spec.weight_decay)
    ]
    return torch.optim.AdamW(groups, lr=spec.learning_rate)
