"""Settings that all learners of encoders share, and what they learn from; free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Bool, Int64
from models.encoders._learned import LearnedEncoderSpec
from models.errors import ConfigError
from models.learn.split import group_positions
from models.spec import Spec

if TYPE_CHECKING:
    from torch import nn

    from models.heads._spec import LabelHeadSpec

VALIDATION = 0.15  # share of the encoders' groups on which training is stopped


class Pass(NamedTuple):
    """One line of the training's history."""

    epoch: int
    train_loss: float
    validation_loss: float


@dataclass(frozen=True)
class FittedEncoder:
    """What training gives: a network in evaluation mode, and the Spec that rebuilds it."""

    spec: LearnedEncoderSpec
    network: nn.Module
    history: list[Pass]
    metrics: dict[str, float]
    """On validation rows."""


@dataclass(frozen=True)
class EncoderRows:
    """Records of the encoders' part of the history."""

    values: Mapping[str, pa.Array]
    """Modality -> `[N]`, null where absent: compact values of an encoder that learns, embeddings of one that does not.
    """
    labels: Mapping[str, pa.Array]
    """Label column -> `[N]`, null where unknown."""
    groups: pa.Array
    """`[N]` the group (customer, patient …) of each record, as string."""

    def __len__(self) -> int:
        return len(self.groups)

    def take(self, records: Int64) -> EncoderRows:
        """The records of these numbers, in that order."""
        at = pa.array(records)
        values = {name: column.take(at) for name, column in self.values.items()}
        return EncoderRows(values, {name: c.take(at) for name, c in self.labels.items()}, self.groups.take(at))

    def validation(self, seed: int) -> Bool:
        """`[N]` bool: records on which training is stopped; no group stands on both sides."""
        mask: Bool = group_positions(self.groups, f"encoder validation {seed}") < VALIDATION
        return mask

    def parts(self, modality: str, seed: int) -> tuple[Int64, Bool]:
        """`[n]` numbers of the records that have the modality, and `[n]` which of these are for validation.

        Raises:
            ConfigError: there are none on one side.
        """
        records = self.present(modality)
        validation = self.validation(seed)[records]
        if validation.all() or not validation.any():
            raise ConfigError(
                f"modalities.{modality} must have values in several groups of the encoders' part of the history; got "
                f"{len(records)} values; give more history, or a larger training.encoders.share"
            )
        return records, validation

    def present(self, modality: str) -> Int64:
        """Numbers of the records that have the modality."""
        return np.flatnonzero(self.values[modality].is_valid().to_numpy(zero_copy_only=False))


class EncoderLearner(Protocol):
    """Fits encoders."""

    def fit(
        self, encoders: Mapping[str, LearnedEncoderSpec], heads: Mapping[str, LabelHeadSpec], rows: EncoderRows
    ) -> dict[str, FittedEncoder]:
        """Modality -> its encoder, fitted to `rows`.

        Raises:
            ConfigError: there is not enough to learn from, or the settings contradict each other.
        """
        ...


class EncoderLearnerSpec(Spec[EncoderLearner]):
    """How encoders are fitted; the same seed gives the same weights."""

    together: ClassVar[bool]
    """Whether all encoders are fitted at once; else each by itself, and one alone may be trained anew."""

    share: float = Field(default=0.5, gt=0, lt=1)
    """Share of the training groups that encoders learn from; fusion and heads learn from the others."""
    max_rows: int = Field(default=20_000, ge=10)
    """Most rows that encoders learn from, chosen by a hash of the key."""
    epochs: int = Field(default=10, ge=1)
    """Most passes over the rows; the step size falls to 0 at the last one."""
    steps: int = Field(default=3000, ge=1)
    """Most optimizer steps: with much history fewer passes are made, so that training takes no longer."""
    patience: int = Field(default=5, ge=1)
    """Stop after this many passes without a better validation loss."""
    batch_rows: int = Field(default=32, ge=2)
    """Rows per step."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """AdamW's largest step size; a cosine takes it to 0."""
    weight_decay: float = Field(default=0.5, ge=0)
    """AdamW's weight decay, on matrices only."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps over which the step size rises from 0."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of a step's gradient."""
    device: str = "auto"
    """Where training runs: `auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:<number>`."""
    seed: int = 0
    """Seed of initial weights, order of rows, augmentation and dropout."""
