"""The classifier as a torch module; `classifier` describes it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.heads.base import LabelHead, trunk
from models.heads.classifier import ClassifierSpec
from models.learn.losses import fit_temperature


class ClassifierHead(LabelHead):
    """Logits / temperature through a sigmoid (one logit for two classes) or a softmax.

    One temperature, fitted on validation rows: Guo et al. 2017, "On calibration of modern neural networks".
    """

    def __init__(self, spec: ClassifierSpec) -> None:
        super().__init__()
        self.binary = spec.task == "binary"
        self.net = trunk(spec, 1 if self.binary else len(spec.classes))
        self.register_buffer("temperature", torch.ones(()))
        self._start_at(torch.tensor(spec.prior))

    @torch.no_grad()
    def _start_at(self, prior: Tensor) -> None:
        bias = self.net[-1].bias
        assert isinstance(bias, Tensor)
        logs = prior.log()
        bias.copy_(logs[1:] - logs[:1] if self.binary else logs)

    def forward(self, fused: Tensor) -> Tensor:
        """`[B, F]` to logits `[B, 1]` or `[B, K]`, before the temperature."""
        return self.net(fused)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped

    def scores(self, fused: Tensor) -> Tensor:
        """`[B]` P(last class), or `[B, K]` P(class)."""
        logits = self(fused) / self.get_buffer("temperature")
        return torch.sigmoid(logits).squeeze(1) if self.binary else torch.softmax(logits, dim=1)

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy in nats, `[B]`."""
        if self.binary:
            return functional.binary_cross_entropy_with_logits(raw.squeeze(1), target, reduction="none")
        return functional.cross_entropy(raw, target.long(), reduction="none")

    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Set the temperature that maximises the likelihood of these rows."""
        self.get_buffer("temperature").copy_(fit_temperature(raw, lambda logits: self.loss(logits, target).mean()))
