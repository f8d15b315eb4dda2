"""The regressor as a torch module; `regressor` describes it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.heads.base import LabelHead, trunk
from models.heads.regressor import RegressorSpec

# exp of the largest standardized output times its std must stay finite in float32 (overflow at exp(88.7)).
LARGEST_LOG = 80.0


class RegressorHead(LabelHead):
    """t = (f(label) − mean) / std is learned, f the identity or log(1 + ·); the score undoes both.

    Under `log` the score is s·exp(mean + std·t) − 1 with Duan's smearing factor s = mean of exp(residual) over
    validation rows: exp of a mean of logs is a median, s makes it an expected value (Duan 1983, "Smearing estimate").
    """

    def __init__(self, spec: RegressorSpec) -> None:
        super().__init__()
        self.log, self.huber = spec.transform == "log", spec.loss == "huber"
        self.mean, self.std = spec.label_mean, spec.label_std
        self.net = trunk(spec, 1)
        self.register_buffer("smearing", torch.ones(()))

    def forward(self, fused: Tensor) -> Tensor:
        """`[B, F]` to `[B, 1]`: standard deviations from the mean training label."""
        return self.net(fused)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped

    def scores(self, fused: Tensor) -> Tensor:
        """`[B]` in the label's units."""
        value = self.mean + self.std * self(fused).squeeze(1)
        return self.get_buffer("smearing") * torch.exp(value.clamp(max=LARGEST_LOG)) - 1 if self.log else value

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Half the squared error or Huber's loss of the standardized label, `[B]`."""
        standardized = ((torch.log1p(target) if self.log else target) - self.mean) / self.std
        if self.huber:
            return functional.huber_loss(raw.squeeze(1), standardized, reduction="none")
        return functional.mse_loss(raw.squeeze(1), standardized, reduction="none") / 2

    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Set the smearing factor; only under `log`."""
        if self.log:
            residual = torch.log1p(target) - (self.mean + self.std * raw.squeeze(1))
            self.get_buffer("smearing").copy_(torch.exp(residual.clamp(max=LARGEST_LOG)).mean())
