"""Regressor: a number from the fused vector, in the label's units: its expected value, or quantiles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from models.arrow import Bool, Float32
from models.errors import ConfigError
from models.heads._spec import LOW_CONFIDENCE, LabelHeadSpec, Task, score_array
from models.schema import published_embedding, score_column

if TYPE_CHECKING:
    from models.heads.base import LabelHead


QUANTILES_METADATA = b"amalgam.quantiles"  # field metadata of a score: the levels, as a JSON list

Level = Annotated[float, Field(gt=0, lt=1)]


class RegressorSpec(LabelHeadSpec):
    """Predicts a number; trained on the standardized label, published in the label's units."""

    kind: ClassVar[str] = "regressor"
    derived: ClassVar[frozenset[str]] = LabelHeadSpec.derived | {"label_mean", "label_std", "label_quantiles"}

    transform: Literal["none", "log"] = "none"
    """`log`: learn log(1 + label), for amounts that are never negative and have a long tail."""
    loss: Literal["mse", "huber"] = "mse"
    """`mse` estimates the mean; `huber` (δ = 1 standard deviation) gives outliers less weight."""
    quantiles: tuple[Level, ...] = ()
    """Levels in ascending order, such as [0.1, 0.5, 0.9]: these quantiles are published instead of the mean."""
    abstain_above: float | None = Field(default=None, gt=0)
    """A row whose lowest and highest quantile are further apart than this, in the label's units, gets the issue
    `<head>.low_confidence`; its score stays."""
    label_mean: float = 0.0
    """Mean of the (transformed) training labels."""
    label_std: float = 1.0
    """Standard deviation of the (transformed) training labels."""
    label_quantiles: tuple[float, ...] = ()
    """Quantiles of the (transformed) training labels, in standard deviations from their mean; the first guess."""

    @model_validator(mode="after")
    def _quantiles_fit(self) -> Self:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError(f"quantiles must be in ascending order; got {list(self.quantiles)}")
        if self.quantiles and self.loss != "mse":
            raise ValueError(f"loss must be left out beside quantiles, which have their own; got {self.loss!r}")
        if self.abstain_above is not None and len(self.quantiles) < 2:
            raise ValueError(f"abstain_above must stand beside at least 2 quantiles; got {list(self.quantiles)}")
        return self

    @property
    def task(self) -> Task:
        """Quantile if there are any, else regression."""
        return "quantile" if self.quantiles else "regression"

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
        mean, std = float(values.mean()), float(values.std())
        learned = {
            "label_mean": mean,
            "label_std": std,
            "label_quantiles": tuple(((np.quantile(values, self.quantiles) - mean) / std).tolist()),
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

    def doubts(self, scores: Float32) -> dict[str, Bool]:
        """`low_confidence` where the quantiles are further apart than `abstain_above`."""
        if self.abstain_above is None:
            return {}
        return {LOW_CONFIDENCE: scores[:, -1] - scores[:, 0] > self.abstain_above}

    def output_fields(self, name: str) -> list[pa.Field]:
        """`score_<name>`: float32, or list<float32> of quantiles with their levels in the field's metadata."""
        column = score_column(name)
        if not self.quantiles:
            return [pa.field(column, pa.float32(), nullable=False)]
        field = published_embedding(column, len(self.quantiles))
        return [field.with_metadata({**field.metadata, QUANTILES_METADATA: json.dumps(self.quantiles).encode()})]

    def output_columns(self, name: str, scores: Float32) -> dict[str, pa.Array]:
        """`score_<name>` from `[n]` or `[n, K]` scores."""
        [field] = self.output_fields(name)
        return {field.name: score_array(field, scores)}

    def build(self) -> LabelHead:
        """The head.

        Raises:
            ConfigError: quantiles are wanted and the Spec was not fitted.
        """
        if len(self.label_quantiles) != len(self.quantiles):
            raise ConfigError(f"the regressor of {self.label!r} must know its labels; run `amalgam train JOB` first")
        from models.heads._late import LateHead
        from models.heads._quantiles import QuantileHead, QuantilePool
        from models.heads._regressor import NumberPool, RegressorHead

        if self.late is not None:
            return LateHead(self, QuantilePool(self) if self.quantiles else NumberPool(self))
        return QuantileHead(self) if self.quantiles else RegressorHead(self)
