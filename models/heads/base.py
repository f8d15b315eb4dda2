"""What every head promises: forward(fused), and the columns that it publishes."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field
from torch import Tensor, nn

from models.arrow import Float32
from models.layers import Linear
from models.spec import Spec


class Head(nn.Module):
    """Maps the fused vector to raw outputs and these to what is published."""

    @abstractmethod
    def forward(self, fused: Tensor) -> Tensor:
        """`[B, F]` float32 to raw outputs `[B, K]` (logits, standardized values)."""

    @abstractmethod
    def scores(self, fused: Tensor) -> Tensor:
        """`[B, F]` to published scores: `[B]`, or `[B, K]` with one per class; calibrated, in the label's units."""


class HeadSpec(Spec[Head]):
    """Describes a head; `input_dim` and what the labels taught (classes, scale) are filled in by training."""

    derived: ClassVar[frozenset[str]] = frozenset({"input_dim"})

    input_dim: int = 0
    """Width F of the fused vector."""

    @abstractmethod
    def label_column(self) -> str:
        """The column of the training table that holds the label."""

    @abstractmethod
    def output_fields(self, name: str) -> list[pa.Field]:
        """The columns that a head of this name publishes; all non-nullable."""

    @abstractmethod
    def output_columns(self, name: str, scores: Float32) -> dict[str, pa.Array]:
        """Published arrays, in the order of `output_fields`, from the scores of n rows."""


Task = Literal["binary", "multiclass", "regression"]
"""What a label head predicts; decides which metrics apply."""


class LabelHead(Head):
    """A head that learns from one label per row (`models.learn.supervised`)."""

    @abstractmethod
    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Each row's loss `[B]` from raw outputs `[B, K]` and targets `[B]` (see `LabelHeadSpec.targets`), no NaN."""

    @abstractmethod
    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Set the calibration buffers from the raw outputs `[N, K]` and targets `[N]` of validation rows."""


class LabelHeadSpec(HeadSpec):
    """Describes a label head: the label's column and a small network."""

    label: str
    """Column of the training table that holds the label; rows where it is null are left out for this head."""
    hidden: int = Field(default=64, ge=0, le=8192)
    """Width of a hidden layer; 0: none, the head is linear in the fused vector."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the fused vector's coordinates that are left out at random, in training only."""

    def label_column(self) -> str:
        """The column of the training table that holds the label."""
        return self.label

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
        """float32 `[n]`: class index, or value in the label's units; NaN where there is no usable label."""

    @abstractmethod
    def build(self) -> LabelHead:
        """The head; its weights are random until loaded or trained."""


def trunk(spec: LabelHeadSpec, outputs: int) -> nn.Sequential:
    """Dropout and a linear map `[B, F] -> [B, outputs]`, with a hidden GELU layer between if the Spec asks for one."""
    if not spec.hidden:
        return nn.Sequential(nn.Dropout(spec.dropout), Linear(spec.input_dim, outputs))
    return nn.Sequential(
        nn.Dropout(spec.dropout),
        Linear(spec.input_dim, spec.hidden),
        nn.GELU(),
        nn.Dropout(spec.dropout),
        Linear(spec.hidden, outputs),
    )
