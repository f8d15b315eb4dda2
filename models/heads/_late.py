"""Label heads on a late fusion: a head per modality, and a pool of what they say."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from models.heads._spec import LabelHeadSpec
from models.heads.base import LabelHead


class Pool(nn.Module):
    """Makes one prediction of several; what is absent has no say."""

    @abstractmethod
    def forward(self, raw: Tensor, mask: Tensor) -> Tensor:
        """Raw outputs `[B, M, K]` of every modality, 0 where the mask `[B, M]` is false, to those of all, `[B, K]`."""

    @abstractmethod
    def calibrate(self, raw: Tensor, mask: Tensor, target: Tensor) -> None:
        """Set its buffers from validation rows."""

    @abstractmethod
    def published(self, raw: Tensor) -> Tensor:
        """See `LabelHead.published`."""


class LateHead(LabelHead):
    """One head of the kind per modality, each trained and calibrated as if the others did not exist.

    Raw outputs are `[B, M, K + 1]`: each modality's, then 1 where it is present. A row's loss is the mean over its
    present modalities, so that no net is trained on what another one said.
    """

    def __init__(self, spec: LabelHeadSpec, pool: Pool) -> None:
        super().__init__()
        assert spec.late is not None
        self.layout, self.pool = spec.late, pool
        own = spec.model_copy(update={"late": None, "input_dim": spec.late.width})
        self.experts = nn.ModuleList(own.build() for _ in range(spec.late.modalities))

    def forward(self, fused: Tensor) -> Tensor:
        """`[B, F]` to `[B, M, K + 1]`."""
        vectors, mask = self.layout.split(fused)  # [B, M, d], [B, M]
        raw = torch.stack([expert(vectors[:, m]) for m, expert in enumerate(self.experts)], dim=1)  # [B, M, K]
        return torch.cat([raw, mask.unsqueeze(-1).to(raw.dtype)], dim=-1)

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """The mean of the present modalities' own losses, `[B]`."""
        raw, mask = _split(raw)
        losses = torch.stack([expert.loss(raw[:, m], target) for m, expert in enumerate(self._experts())], dim=1)
        return torch.where(mask, losses, 0.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)

    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Each modality on the rows that have it, then the pool on all."""
        raw, mask = _split(raw)
        for m, expert in enumerate(self._experts()):
            if mask[:, m].any():
                expert.calibrate(raw[mask[:, m], m], target[mask[:, m]])
        self.pool.calibrate(self._each(raw, mask), mask, target)

    def calibrated(self, raw: Tensor) -> Tensor:
        """`[B, M, K + 1]` to pooled raw outputs `[B, K]`."""
        raw, mask = _split(raw)
        pooled: Tensor = self.pool(self._each(raw, mask), mask)
        return pooled

    def published(self, raw: Tensor) -> Tensor:
        """Of pooled raw outputs `[B, K]`; of `[B, M, K + 1]`, before calibration, their plain mean."""
        if raw.ndim == 3:
            raw, mask = _split(raw)
            raw = torch.where(mask.unsqueeze(-1), raw, 0.0).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return self.pool.published(raw)

    def _each(self, raw: Tensor, mask: Tensor) -> Tensor:
        """`[B, M, K]`: each as its own calibration corrects it, 0 where absent."""
        each = torch.stack([expert.calibrated(raw[:, m]) for m, expert in enumerate(self._experts())], dim=1)
        return torch.where(mask.unsqueeze(-1), each, 0.0)

    def _experts(self) -> list[LabelHead]:
        return [expert for expert in self.experts if isinstance(expert, LabelHead)]


def _split(raw: Tensor) -> tuple[Tensor, Tensor]:
    """`[B, M, K + 1]` to raw outputs `[B, M, K]` and the mask `[B, M]`."""
    return raw[..., :-1], raw[..., -1] > 0.5
