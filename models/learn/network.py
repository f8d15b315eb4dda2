"""What supervised learning optimises: a fusion, its heads, and a small head per modality that only training has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.fusion.base import Fused, Fusion, FusionSpec
from models.heads.base import LabelHead, LabelHeadSpec
from models.learn.data import Examples

EVALUATION_ROWS = 1024  # rows of a forward pass without gradients; bounds memory, changes no result


class Rows(NamedTuple):
    """Rows with their targets as tensors."""

    x: Tensor  # [N, M, D]
    mask: Tensor  # [N, M]
    targets: dict[str, Tensor]  # head -> [N], NaN where there is no label

    def take(self, rows: Tensor) -> Rows:
        """The rows of these numbers."""
        return Rows(self.x[rows], self.mask[rows], {name: target[rows] for name, target in self.targets.items()})


class JointNetwork(nn.Module):
    """The fusion, its heads, and one small head per modality that exists in training only."""

    def __init__(self, fusion: FusionSpec, heads: Mapping[str, LabelHeadSpec]) -> None:
        super().__init__()
        self.names = list(heads)
        self.fusion = fusion.build().requires_grad_(fusion.trained)
        self.heads = nn.ModuleList(spec.build() for spec in heads.values())
        small = [spec.model_copy(update={"hidden": 0}) for spec in heads.values()]
        modalities = len(fusion.inputs) if fusion.trained else 0
        self.unimodal = nn.ModuleList(nn.ModuleList(s.build() for s in small) for _ in range(modalities))

    def label_heads(self) -> Iterator[tuple[str, LabelHead]]:
        """The heads by name."""
        for name, head in zip(self.names, self.heads, strict=True):
            assert isinstance(head, LabelHead)
            yield name, head

    def loss(self, rows: Rows, unimodal_weight: float) -> Tensor:
        """Σ over heads of the fused loss, and the weighted mean loss of each modality alone."""
        fused = self.fusion(rows.x, rows.mask)
        loss = torch.zeros(())
        for name, head in self.label_heads():
            loss = loss + _mean_loss(head, fused.z, rows.targets[name])
        if unimodal_weight and fused.parts is not None and len(self.unimodal):
            loss = loss + unimodal_weight * self._unimodal_loss(fused, rows)
        return loss

    def _unimodal_loss(self, fused: Fused, rows: Rows) -> Tensor:
        """Mean over present slots of the loss of a modality's own heads, summed over heads."""
        assert fused.parts is not None
        losses = []
        for index, heads in enumerate(self.unimodal):
            present = rows.mask[:, index]
            assert isinstance(heads, nn.ModuleList)
            for name, head in zip(self.names, heads, strict=True):
                assert isinstance(head, LabelHead)
                share = present.float().mean()
                losses.append(share * _mean_loss(head, fused.parts[present, index], rows.targets[name][present]))
        return torch.stack(losses).sum() / rows.mask.float().sum(dim=1).mean()

    @torch.no_grad()
    def judge(self, rows: Rows) -> float:
        """Σ over heads of the mean loss, in evaluation mode: a negative log-likelihood."""
        self.eval()
        z = fuse(self.fusion, rows.x, rows.mask)
        return float(sum(_mean_loss(head, z, rows.targets[name]) for name, head in self.label_heads()))

    @torch.no_grad()
    def calibrate(self, rows: Rows) -> None:
        """Calibrate each head on its labelled rows; a head that has none here stays as trained."""
        self.eval()
        z = fuse(self.fusion, rows.x, rows.mask)
        for name, head in self.label_heads():
            known = ~torch.isnan(rows.targets[name])
            if known.any():
                with torch.enable_grad():
                    head.calibrate(head(z[known]).detach(), rows.targets[name][known])


def with_targets(examples: Examples, specs: Mapping[str, LabelHeadSpec]) -> Rows:
    """The rows with every head's targets."""
    targets = {name: torch.tensor(spec.targets(examples.labels[spec.label])) for name, spec in specs.items()}
    return Rows(examples.x, examples.mask, targets)


def fuse(fusion: Fusion, x: Tensor, mask: Tensor) -> Tensor:
    """`[N, F]` fused vectors of `[N, M, D]` inputs and their mask, in bounded memory."""
    starts = range(0, len(mask), EVALUATION_ROWS)
    return torch.cat([fusion(x[i : i + EVALUATION_ROWS], mask[i : i + EVALUATION_ROWS]).z for i in starts])


def _mean_loss(head: LabelHead, z: Tensor, target: Tensor) -> Tensor:
    """Mean loss over the rows that have a label; 0 if none has."""
    known = ~torch.isnan(target)
    if not known.any():
        return z.sum() * 0  # keeps the graph, so that a batch without labels has zero gradients, not none
    return head.loss(head(z[known]), target[known]).mean()
