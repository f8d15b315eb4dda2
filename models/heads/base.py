"""What every head promises: labels are scored from the fused vector, actions chosen from the embeddings."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from models.fusion.base import Fusion
from models.heads._decision_spec import DecisionHeadSpec as DecisionHeadSpec
from models.heads._spec import HeadSpec as HeadSpec
from models.heads._spec import LabelHeadSpec as LabelHeadSpec
from models.heads._spec import Task as Task
from models.layers import Linear


class Head(nn.Module):
    """A module whose outputs are published by its Spec."""


class LabelHead(Head):
    """A head that learns from one label per row (`models.learn.supervised`): the fused vector to scores."""

    @abstractmethod
    def forward(self, fused: Tensor) -> Tensor:
        """`[B, F]` float32 to raw outputs `[B, K]` (logits, standardized values)."""

    @abstractmethod
    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """Each row's loss `[B]` from raw outputs and targets (see `LabelHeadSpec.targets`; without NaN)."""

    @abstractmethod
    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Set the calibration buffers from the raw outputs and targets of validation rows."""

    def calibrated(self, raw: Tensor) -> Tensor:
        """Raw outputs as calibration corrects them."""
        return raw

    @abstractmethod
    def published(self, raw: Tensor) -> Tensor:
        """Raw outputs to `[B]`, or `[B, K]` with one per class: probabilities, or values in the label's units."""

    def scores(self, fused: Tensor, *, calibrated: bool = True) -> Tensor:
        """`[B, F]` to published scores `[B]` or `[B, K]`, as calibration corrects them, or as they were before it."""
        raw = self(fused)
        return self.published(self.calibrated(raw) if calibrated else raw)


class DecisionHead(Head):
    """A head that acts, from the row's embeddings through a fusion of its own."""

    fusion: Fusion
    preferences: nn.Module
    """`[B, F]` to `[B, A]`: from them the Spec makes a policy."""
    values: nn.Module
    """`[B, F]` to `[B, A]`: expected returns of the published policy, standardized."""

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """`[B, M, D]` embeddings and their mask `[B, M]` to `[B, 2 A]`: preferences, then values in reward units."""


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
