"""The learner of encoders by labels at work; `labels` describes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from models.arrow import Int64
from models.devices import resolve_device
from models.encoders._learned import LearnedEncoderSpec
from models.errors import ConfigError
from models.fusion.base import seeded
from models.heads.base import LabelHead, LabelHeadSpec
from models.learn.encoder_learner import EncoderRows, FittedEncoder
from models.learn.encoder_training import Learning, optimize, shuffled
from models.learn.labels import LabelsSpec
from models.learn.network import labelled


class LabelsLearner:
    """Minimizes Σ over heads of loss(head(network(value))), for each modality by itself."""

    def __init__(self, spec: LabelsSpec) -> None:
        self.spec = spec

    def fit(
        self, encoders: Mapping[str, LearnedEncoderSpec], heads: Mapping[str, LabelHeadSpec], rows: EncoderRows
    ) -> dict[str, FittedEncoder]:
        """See `EncoderLearner.fit`."""
        if not heads:
            raise ConfigError(
                "training.encoders.kind must be contrastive where no head has a label to learn from; got 'labels'"
            )
        return {name: self._fit(name, encoder, heads, rows) for name, encoder in encoders.items()}

    def _fit(
        self, name: str, encoder: LearnedEncoderSpec, heads: Mapping[str, LabelHeadSpec], rows: EncoderRows
    ) -> FittedEncoder:
        records, validation = rows.parts(name, self.spec.seed)
        train, judged = np.flatnonzero(~validation), np.flatnonzero(validation)  # numbers of values, not of records
        values = rows.values[name].take(pa.array(records))
        labels = {head.label: rows.labels[head.label].take(pa.array(records)) for head in heads.values()}
        learned = encoder.taught(values.take(pa.array(train)))
        specs = [head.fitted(labels[head.label].take(pa.array(train)), learned.dim) for head in heads.values()]
        targets = [torch.tensor(spec.targets(labels[spec.label])) for spec in specs]
        device = resolve_device(self.spec.device)
        with seeded(self.spec.seed):
            learning = Learning(learned, learned.network(), learned.inputs(values), records)
            task = Task(learning, nn.ModuleList(spec.build() for spec in specs), targets, device)
            history = optimize(
                task.modules(),
                self.spec,
                lambda generator: _batches(learning, train, self.spec.batch_rows, generator),
                task.loss,
                lambda: task.judge(judged),
            )
        best = min(entry.validation_loss for entry in history)
        return FittedEncoder(learned, learning.network.cpu(), history, {"validation_loss": best})


class Task:
    """One encoder with a small head per label.

    Args:
        learning: the encoder and its values.
        heads: LabelHeads.
        targets: of each head, `[n]` or `[n, K]`; NaN where there is no label.
        device: where it all runs.
    """

    def __init__(self, learning: Learning, heads: nn.ModuleList, targets: list[Tensor], device: torch.device) -> None:
        self.learning, self.heads, self.targets, self.device = learning, heads, targets, device

    def modules(self) -> nn.Module:
        """All that is trained."""
        return nn.ModuleList([self.learning.network, self.heads]).to(self.device)

    def loss(self, values: Int64, generator: torch.Generator) -> Tensor:
        """Σ over heads of the mean loss of a batch, as training shows it."""
        return self._sum(self.learning.embed(values, self.device, generator), values)

    @torch.no_grad()
    def judge(self, values: Int64) -> float:
        """Σ over heads of the mean loss."""
        return self._sum(torch.from_numpy(self.learning.embed_all(values, self.device)).to(self.device), values).item()

    def _sum(self, z: Tensor, values: Int64) -> Tensor:
        loss = torch.zeros((), device=self.device)
        for head, targets in zip(self.heads, self.targets, strict=True):
            assert isinstance(head, LabelHead)
            target = targets[torch.from_numpy(values)].to(self.device)
            known = labelled(target)
            losses = head.loss(head(z), torch.nan_to_num(target))
            losses = torch.where(known, losses, torch.zeros((), device=self.device))
            loss = loss + losses.sum() / known.sum().clamp(min=1)
        return loss


def _batches(learning: Learning, values: Int64, rows: int, generator: torch.Generator) -> list[Int64]:
    lengths = learning.inputs.lengths[values]
    return [values[batch] for batch in shuffled(len(values), rows, generator, lengths)]
