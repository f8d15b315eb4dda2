"""What every head promises: forward(fused), and the columns that it publishes."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import pyarrow as pa
from torch import Tensor, nn

from models.arrow import Float32
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
