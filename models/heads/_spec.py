"""What describes every head, without the modules: a job file is read and planned without loading torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Bool, Float32
from models.late import Late
from models.spec import Spec

if TYPE_CHECKING:
    from models.heads.base import Head, LabelHead

Task = Literal["binary", "multiclass", "multilabel", "regression", "quantile"]
"""What a label head predicts; decides which metrics apply."""

LOW_CONFIDENCE = "low_confidence"  # issue code: a score that the head itself does not rely on


class Published(NamedTuple):
    """What a head says of n rows."""

    columns: dict[str, pa.Array]
    """In the order of `output_fields`."""
    issues: dict[str, Bool]
    """Issue code -> `[n]` the rows that it stands in; the head's name is put before it (`<head>.<code>`)."""


class HeadSpec(Spec["Head"]):
    """Describes a head; `input_dim` and what the labels taught (classes, scale) are filled in by training."""

    derived: ClassVar[frozenset[str]] = frozenset({"input_dim"})

    input_dim: int = 0
    """Width F of the fused vector."""

    @abstractmethod
    def training_columns(self) -> dict[str, str]:
        """Setting -> column of the training table that it names, such as `label` -> `churned`."""

    def nightly_columns(self) -> dict[str, str]:
        """Setting -> column that the nightly input must have too."""
        return {}

    @abstractmethod
    def output_fields(self, name: str) -> list[pa.Field]:
        """The columns that a head of this name publishes; all non-nullable."""

    @abstractmethod
    def build(self) -> Head:
        """The head; torch is loaded here."""


class LabelHeadSpec(HeadSpec):
    """Describes a label head: the label's column and a small network."""

    derived: ClassVar[frozenset[str]] = HeadSpec.derived | {"late"}

    label: str
    """Column of the training table that holds the label; rows where it is null are left out for this head."""
    hidden: int = Field(default=64, ge=0, le=8192)
    """Width of a hidden layer; 0: none, the head is linear in the fused vector."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the fused vector's coordinates that are left out at random, in training only."""
    late: Late | None = None
    """Where each modality stands in the fused vector, if they were not mixed."""

    def training_columns(self) -> dict[str, str]:
        """The label's."""
        return {"label": self.label}

    @abstractmethod
    def output_columns(self, name: str, scores: Float32) -> dict[str, pa.Array]:
        """Published arrays, in the order of `output_fields`, from the scores of n rows."""

    def publish_rows(self, name: str, scores: Float32) -> Published:
        """The columns of n rows, and what is to be said of them.

        Args:
            name: the head's.
            scores: `[n]` or `[n, K]`, as `LabelHead.scores` gives them.
        """
        return Published(self.output_columns(name, scores), self.doubts(scores))

    def doubts(self, scores: Float32) -> dict[str, Bool]:
        """Issue code -> `[n]` the rows whose score the head does not rely on; it is published all the same."""
        return {}

    @property
    @abstractmethod
    def task(self) -> Task:
        """What is predicted; known after `fitted`."""

    @abstractmethod
    def fitted(self, labels: pa.Array, input_dim: int) -> Self:
        """The Spec with what the training labels teach (classes, scale) filled in.

        Raises:
            ConfigError: the labels cannot be learned from (wrong type, no value, only one class).
        """

    @abstractmethod
    def targets(self, labels: pa.Array) -> Float32:
        """float32 `[n]`: class index, or value in the label's units; or `[n, K]`: 1 where a class applies, else 0.

        NaN (all of a row) where there is no usable label.
        """

    @abstractmethod
    def build(self) -> LabelHead:
        """The head; its weights are random until loaded or trained."""


def score_array(field: pa.Field, scores: Float32) -> pa.Array:
    """`[n]` or `[n, K]` scores as an array of the field's type."""
    if scores.ndim == 1:
        return pa.array(scores, field.type)
    offsets = np.arange(len(scores) + 1, dtype=np.int32) * scores.shape[1]
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(scores).reshape(-1)), type=field.type)
