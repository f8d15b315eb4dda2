"""What supervised learning optimises: a fusion, its heads, and a small head per modality that only training has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.fusion.base import Fusion, FusionSpec
from models.heads.base import LabelHead, LabelHeadSpec
from models.learn.data import Examples

EVALUATION_ROWS = 1024  # rows of a forward pass without gradients; bounds memory, changes no result


class Rows(NamedTuple):
    """Rows with their targets as tensors."""

    x: Tensor  # [N, M, D]
    mask: Tensor  # [N, M]
    targets: dict[str, Tensor]  # head -> [N] or [N, K], NaN where there is no label

    def take(self, rows: Tensor) -> Rows:
        """The rows of these numbers."""
        return Rows(self.x[rows], self.mask[rows], {name: target[rows] for name, target in self.targets.items()})


class JointNetwork(nn.Module):
    """The fusion, its heads, and one small head per modality that exists in training only."""

    def __init__(self, fusion: FusionSpec, heads: Mapping[str, LabelHeadSpec]) -> None:
        super().__init__()
        self.names, self.fusion_rate = list(heads), fusion.rate
        self.fusion = fusion.build().requires_grad_(fusion.trained)
        self.heads = nn.ModuleList(spec.build() for spec in heads.values())
        small = [spec.model_copy(update={"hidden": 0}) for spec in heads.values()]
        modalities = len(fusion.inputs) if fusion.trained and fusion.late is None else 0
        self.unimodal = nn.ModuleList(nn.ModuleList(s.build() for s in small) for _ in range(modalities))

    def label_heads(self) -> Iterator[tuple[str, LabelHead]]:
        """The heads by name."""
        for name, head in zip(self.names, self.heads, strict=True):
            assert isinstance(head, LabelHead)
            yield name, head

    def rates(self) -> list[tuple[nn.Module, float]]:
        """Every part with the factor on its learning rate."""
        return [(self.fusion, self.fusion_rate), (self.heads, 1.0), (self.unimodal, 1.0)]

    def loss(self, rows: Rows, unimodal_weight: float) -> Tensor:
        """Σ over heads of the fused loss, and the weighted mean loss of each modality alone."""
        fused = self.fusion(rows.x, rows.mask)
        loss = torch.zeros(())
        for name, head in self.label_heads():
            loss = loss + _mean(*_losses(head, fused.z, rows.targets[name]))
        if unimodal_weight and fused.parts is not None and len(self.unimodal):
            loss = loss + unimodal_weight * self._unimodal_loss(fused.parts, rows)
        return loss

    def _unimodal_loss(self, parts: Tensor, rows: Rows) -> Tensor:
        """Σ over heads of the mean over present slots (`parts` `[B, M, F]`) of the loss of a modality's own head."""
        loss = torch.zeros(())
        for position, name in enumerate(self.names):
            found = [
                _losses(_label_head(heads, position), parts[:, index], rows.targets[name], rows.mask[:, index])
                for index, heads in enumerate(self.unimodal)
            ]
            losses, counted = (torch.stack(columns) for columns in zip(*found, strict=True))  # [M, B] each
            loss = loss + _mean(losses, counted)
        return loss

    @torch.no_grad()
    def judge(self, rows: Rows) -> float:
        """Σ over heads of the mean loss, in evaluation mode: a negative log-likelihood."""
        self.eval()
        z = fuse(self.fusion, rows.x, rows.mask)
        return float(sum(_mean(*_losses(head, z, rows.targets[name])) for name, head in self.label_heads()))

    @torch.no_grad()
    def calibrate(self, rows: Rows) -> None:
        """Calibrate each head on its labelled rows; a head that has none here stays as trained."""
        self.eval()
        z = fuse(self.fusion, rows.x, rows.mask)
        for name, head in self.label_heads():
            known = labelled(rows.targets[name])
            if known.any():
                with torch.enable_grad():
                    head.calibrate(head(z[known]).detach(), rows.targets[name][known])


def with_targets(examples: Examples, specs: Mapping[str, LabelHeadSpec]) -> Rows:
    """The rows with every head's targets."""
    targets = {name: torch.tensor(spec.targets(examples.labels[spec.label])) for name, spec in specs.items()}
    return Rows(examples.x, examples.mask, targets)


def labelled(target: Tensor) -> Tensor:
    """`[N]` bool: where targets `[N]` or `[N, K]` are known."""
    unknown = torch.isnan(target)
    return ~(unknown if target.ndim == 1 else unknown.any(dim=1))


def fuse(fusion: Fusion, x: Tensor, mask: Tensor) -> Tensor:
    """`[N, F]` fused vectors of `[N, M, D]` inputs and their mask, in bounded memory."""
    starts = range(0, len(mask), EVALUATION_ROWS)
    return torch.cat([fusion(x[i : i + EVALUATION_ROWS], mask[i : i + EVALUATION_ROWS]).z for i in starts])


def _label_head(heads: nn.Module, position: int) -> LabelHead:
    assert isinstance(heads, nn.ModuleList)
    head = heads[position]
    assert isinstance(head, LabelHead)
    return head


def _losses(head: LabelHead, z: Tensor, target: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Each row's loss `[B]`, 0 where it does not count, and where it counts: a label, and the modality, are there."""
    counted = labelled(target) if present is None else present & labelled(target)
    losses = head.loss(head(z), torch.nan_to_num(target))
    return torch.where(counted, losses, torch.zeros(())), counted


def _mean(losses: Tensor, counted: Tensor) -> Tensor:
    """Mean of the losses that count; 0 if none does."""
    return losses.sum() / counted.sum().clamp(min=1)
