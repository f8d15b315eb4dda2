"""The regressor of an expected value as a torch module; `regressor` describes it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.heads._late import Pool
from models.heads._unit import Unit
from models.heads.base import LabelHead, trunk
from models.heads.regressor import RegressorSpec

# A modality's residual variance in units of the label's: at most that of knowing nothing, at least that of float32.
LEAST_VARIANCE, PRIOR_VARIANCE = 1e-6, 1.0


class RegressorHead(LabelHead):
    """Learns the standardized label t (see `Unit`); under `log` the score is s·exp(mean + std·t) − 1.

    s is Duan's smearing factor, from validation rows.
    """

    def __init__(self, spec: RegressorSpec) -> None:
        super().__init__()
        self.unit, self.huber = Unit.of(spec), spec.loss == "huber"
        self.net = trunk(spec, 1)
        self.register_buffer("smearing", torch.ones(()))

    def forward(self, fused: Tensor) -> Tensor:
        """`[B, F]` to `[B, 1]`: standard deviations from the mean training label."""
        return self.net(fused)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Half the squared error or Huber's loss of the standardized label, `[B]`."""
        standardized = self.unit.standardized(target)
        if self.huber:
            return functional.huber_loss(raw.squeeze(1), standardized, reduction="none")
        return functional.mse_loss(raw.squeeze(1), standardized, reduction="none") / 2

    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Set the smearing factor; only under `log`."""
        self.get_buffer("smearing").copy_(self.unit.smearing(raw.squeeze(1), target))

    def published(self, raw: Tensor) -> Tensor:
        """`[B]` in the label's units."""
        return self.unit.restored(raw.squeeze(1), self.get_buffer("smearing"))


class NumberPool(Pool):
    """t = c · Σ t_m / v_m / (1 + Σ (1/v_m − 1)) over present m, v_m the variance of t_m's residual on validation rows.

    That is the mean of the product of the modalities' normal densities, each divided by the prior N(0, 1), times the
    prior: one that knows nothing (v = 1, t = 0) changes nothing. Under `mean` it is c times the plain mean. c is the
    slope of least squares on validation rows.
    """

    def __init__(self, spec: RegressorSpec) -> None:
        super().__init__()
        assert spec.late is not None
        self.unit, self.averaged = Unit.of(spec), spec.late.pool == "mean"
        self.register_buffer("variances", torch.ones(spec.late.modalities))  # [M]
        self.register_buffer("slope", torch.ones(()))
        self.register_buffer("smearing", torch.ones(()))

    def forward(self, raw: Tensor, mask: Tensor) -> Tensor:
        """See `Pool.forward`."""
        return self.get_buffer("slope") * self._together(raw.squeeze(-1), mask)

    def calibrate(self, raw: Tensor, mask: Tensor, target: Tensor) -> None:
        """Set the variances, the slope and the smearing factor."""
        standardized = self.unit.standardized(target)  # [N]
        self.get_buffer("variances").copy_(_variances(raw.squeeze(-1) - standardized.unsqueeze(1), mask))
        self.get_buffer("slope").copy_(_slope(self._together(raw.squeeze(-1), mask).squeeze(1), standardized))
        self.get_buffer("smearing").copy_(self.unit.smearing(self(raw, mask).squeeze(1), target))

    def published(self, raw: Tensor) -> Tensor:
        """`[B]` in the label's units."""
        return self.unit.restored(raw.squeeze(1), self.get_buffer("smearing"))

    def _together(self, t: Tensor, mask: Tensor) -> Tensor:
        """`[B, M]` to `[B, 1]`, before the slope."""
        present = mask.to(t.dtype)  # [B, M]
        if self.averaged:
            return t.sum(dim=1, keepdim=True) / present.sum(dim=1, keepdim=True).clamp(min=1)
        precision = 1 / self.get_buffer("variances")  # [M]
        total = 1 + (present * (precision - 1)).sum(dim=1, keepdim=True)  # [B, 1]
        return (t * precision).sum(dim=1, keepdim=True) / total


def _variances(errors: Tensor, mask: Tensor) -> Tensor:
    """`[M]` mean squares of the errors `[N, M]` of present modalities; the prior's where one is never present."""
    counts = mask.sum(dim=0)
    squares = torch.where(mask, errors.square(), 0.0).sum(dim=0) / counts.clamp(min=1)
    return torch.where(counts > 0, squares, PRIOR_VARIANCE).clamp(LEAST_VARIANCE, PRIOR_VARIANCE)


def _slope(t: Tensor, standardized: Tensor) -> Tensor:
    """The c ≥ 0 that minimises Σ (c t − standardized)²; 1 where t says nothing."""
    square = t.square().sum()
    return torch.where(square > 0, (t * standardized).sum() / square, torch.ones(())).clamp(min=0)
