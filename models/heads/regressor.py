"""Regressor: the expected value of a number from the fused vector, in the label's units."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from models.arrow import Float32
from models.errors import ConfigError
from models.heads._spec import LabelHeadSpec, Task
from models.schema import score_column

if TYPE_CHECKING:
    from models.heads.base import LabelHead


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
        from models.heads._regressor import RegressorHead

        return RegressorHead(self)
