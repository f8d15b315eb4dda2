"""Regressor: the expected value of a number from the fused vector, in the label's units."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional

from models.arrow import Float32
from models.errors import ConfigError
from models.heads.base import LabelHead, LabelHeadSpec, Task, trunk
from models.schema import score_column

# exp of the largest standardized output times its std must stay finite in float32 (overflow at exp(88.7)).
LARGEST_LOG = 80.0


class RegressorSpec(LabelHeadSpec):
    """Predicts a number; trained on the standardized label, published in the label's units."""

    kind: ClassVar[str] = "regressor"
    derived: ClassVar[frozenset[str]] = LabelHeadSpec.derived | {"label_mean", "label_std"}

    transform: Literal["none", "log"] = "none"
    """`log`: learn log(1 + label), for amounts that are never negative and have a long tail."""
    loss: Literal["mse", "huber"] = "mse"
    """`mse` estimates the mean; `huber` (δ = 1 standard deviation) gives outliers less weight."""
    label_mean: float = 0.0
    """Mean of the (transformed) training labels."""
    label_std: float = 1.0
    """Standard deviation of the (transformed) training labels."""

    @property
    def task(self) -> Task:
        """Always regression."""
        return "regression"

    def fitted(self, labels: pa.Array, input_dim: int) -> Self:
        """With mean and standard deviation of the training labels.

        Raises:
            ConfigError: the label is no number, has fewer than 2 values or no variation, or is below 0 under `log`.
        """
        values = self.targets(labels)
        values = values[np.isfinite(values)].astype(np.float64)
        if self.transform == "log" and (values < 0).any():
            raise ConfigError(f"label {self.label!r} must be at least 0 for transform log; got {values.min():g}")
        values = np.log1p(values) if self.transform == "log" else values
        if len(values) < 2 or values.std() == 0:
            raise ConfigError(f"label {self.label!r} of a regressor must have at least 2 different numbers")
        learned = {
            "label_mean": float(values.mean()),
            "label_std": float(values.std()),
            "input_dim": input_dim,
        }
        return type(self).model_validate({**self.model_dump(), **learned})

    def targets(self, labels: pa.Array) -> Float32:
        """float32 `[n]` in the label's units; NaN where the label is null or not finite."""
        kind = labels.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise ConfigError(f"label {self.label!r} of a regressor must be a number; got {kind}")
        values = labels.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float32)
        return np.where(np.isfinite(values), values, np.float32(np.nan))

    def output_fields(self, name: str) -> list[pa.Field]:
        """`score_<name>`: float32."""
        return [pa.field(score_column(name), pa.float32(), nullable=False)]

    def output_columns(self, name: str, scores: Float32) -> dict[str, pa.Array]:
        """`score_<name>` from `[n]` scores."""
        return {score_column(name): pa.array(scores, pa.float32())}

    def build(self) -> LabelHead:
        """The head."""
        return RegressorHead(self)


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
