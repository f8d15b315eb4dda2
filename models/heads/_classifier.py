"""The classifier as a torch module; `classifier` describes it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.heads._late import Pool
from models.heads._spec import Task
from models.heads.base import LabelHead, trunk
from models.heads.classifier import ClassifierSpec
from models.learn.losses import fit_temperature


class ClassifierHead(LabelHead):
    """Logits / temperature through a sigmoid (one logit for two classes; one each where several may apply) or softmax.

    One temperature, fitted on validation rows: Guo et al. 2017, "On calibration of modern neural networks".
    """

    def __init__(self, spec: ClassifierSpec) -> None:
        super().__init__()
        self.task = spec.task
        prior = prior_logits(spec)  # [K]
        self.net = trunk(spec, len(prior))
        self.register_buffer("temperature", torch.ones(()))
        self._start_at(prior)

    @torch.no_grad()
    def _start_at(self, prior: Tensor) -> None:
        bias = self.net[-1].bias
        assert isinstance(bias, Tensor)
        bias.copy_(prior)

    def forward(self, fused: Tensor) -> Tensor:
        """`[B, F]` to logits `[B, 1]` or `[B, K]`, before the temperature."""
        return self.net(fused)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy in nats, `[B]`; where several classes may apply, the mean over classes."""
        return cross_entropy(raw, target, self.task)

    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Set the temperature that maximises the likelihood of these rows."""
        self.get_buffer("temperature").copy_(fit_temperature(raw, lambda logits: self.loss(logits, target).mean()))

    def calibrated(self, raw: Tensor) -> Tensor:
        """Logits / temperature."""
        return raw / self.get_buffer("temperature")

    def published(self, raw: Tensor) -> Tensor:
        """`[B]` P(last class), or `[B, K]` P(class)."""
        return probabilities(raw, self.task)


class LogitPool(Pool):
    """r = r_0 + (1/T) Σ over present m of (r_m − r_0), r_0 the prior's logits: each modality's evidence, added up.

    That is Bayes' rule for modalities that are independent given the label (a product of experts). They seldom are, and
    T takes back what was counted twice: it is fitted on validation rows. Under `mean` the sum is divided by the number
    of present modalities (a logarithmic opinion pool).
    """

    def __init__(self, spec: ClassifierSpec) -> None:
        super().__init__()
        assert spec.late is not None
        self.task, self.averaged = spec.task, spec.late.pool == "mean"
        self.register_buffer("prior", prior_logits(spec), persistent=False)
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, raw: Tensor, mask: Tensor) -> Tensor:
        """See `Pool.forward`."""
        return self.get_buffer("prior") + self._evidence(raw, mask) / self.get_buffer("temperature")

    def calibrate(self, raw: Tensor, mask: Tensor, target: Tensor) -> None:
        """Set the temperature that maximises the likelihood of these rows."""
        prior = self.get_buffer("prior")
        found = fit_temperature(
            self._evidence(raw, mask), lambda evidence: cross_entropy(prior + evidence, target, self.task).mean()
        )
        self.get_buffer("temperature").copy_(found)

    def published(self, raw: Tensor) -> Tensor:
        """`[B]` P(last class), or `[B, K]` P(class)."""
        return probabilities(raw, self.task)

    def _evidence(self, raw: Tensor, mask: Tensor) -> Tensor:
        evidence = torch.where(mask.unsqueeze(-1), raw - self.get_buffer("prior"), 0.0).sum(dim=1)  # [B, K]
        return evidence / mask.sum(dim=1, keepdim=True).clamp(min=1) if self.averaged else evidence


def prior_logits(spec: ClassifierSpec) -> Tensor:
    """`[1]` or `[K]`: the logits at which every class has its share of the training labels."""
    prior = torch.tensor(spec.prior)  # [K]
    if spec.task == "multilabel":
        return torch.logit(prior)
    logs = prior.log()
    return logs[1:] - logs[:1] if spec.task == "binary" else logs


def probabilities(logits: Tensor, task: Task) -> Tensor:
    """`[B, 1]` to `[B]` P(last class), `[B, K]` to `[B, K]` P(class)."""
    if task == "multiclass":
        return torch.softmax(logits, dim=1)
    return torch.sigmoid(logits).squeeze(1) if task == "binary" else torch.sigmoid(logits)


def cross_entropy(logits: Tensor, target: Tensor, task: Task) -> Tensor:
    """`[B]` in nats; where several classes may apply, the mean over classes."""
    if task == "multiclass":
        return functional.cross_entropy(logits, target.long(), reduction="none")
    targets = target.unsqueeze(1) if task == "binary" else target  # [B, 1] or [B, K]
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1)
