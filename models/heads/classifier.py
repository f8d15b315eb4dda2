"""Classifier: calibrated class probabilities from the fused vector."""

from __future__ import annotations

import json
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pydantic import StrictBool, StrictInt, StrictStr
from torch import Tensor
from torch.nn import functional

from models.arrow import Float32
from models.errors import ConfigError
from models.heads.base import LabelHead, LabelHeadSpec, Task, trunk
from models.learn.losses import fit_temperature
from models.schema import published_embedding, score_column

CLASSES_METADATA = b"amalgam.classes"  # field metadata of a score: the classes, as a JSON list
MOST_CLASSES = 1000  # more distinct labels than ImageNet has are a number or a key, not a class


class ClassifierSpec(LabelHeadSpec):
    """Predicts a class; publishes P(last class) of two, or one probability per class of more."""

    kind: ClassVar[str] = "classifier"
    derived: ClassVar[frozenset[str]] = LabelHeadSpec.derived | {"classes", "prior"}

    classes: tuple[StrictBool, ...] | tuple[StrictInt, ...] | tuple[StrictStr, ...] = ()
    """The label's values in ascending order (false, true); of two classes the last is the one that is scored."""
    prior: tuple[float, ...] = ()
    """Share of each class among the training labels; the head's first guess."""

    @property
    def task(self) -> Task:
        """Binary for two classes, else multiclass."""
        return "binary" if len(self.classes) == 2 else "multiclass"

    def fitted(self, labels: pa.Array, input_dim: int) -> Self:
        """With the classes and their shares from the training labels.

        Raises:
            ConfigError: the label is no class (a fraction, a list …), or has fewer than 2 or more than 1,000 values.
        """
        values = self._as_classes(labels).drop_null()
        classes = pc.unique(values).sort()
        if not 2 <= len(classes) <= MOST_CLASSES:
            raise ConfigError(
                f"label {self.label!r} of a classifier must have 2 to {MOST_CLASSES} classes; got {len(classes)}"
            )
        counts = np.bincount(pc.index_in(values, value_set=classes).to_numpy(zero_copy_only=False))
        learned = {
            "classes": tuple(classes.to_pylist()),
            "prior": tuple((counts / counts.sum()).tolist()),
            "input_dim": input_dim,
        }
        return type(self).model_validate({**self.model_dump(), **learned})

    def targets(self, labels: pa.Array) -> Float32:
        """float32 `[n]` index into `classes`; NaN where the label is null or a value that training never saw."""
        values = self._as_classes(labels)
        known = pa.array(self.classes)
        if known.type != values.type:
            raise ConfigError(f"label {self.label!r} must be of type {known.type} as in training; got {labels.type}")
        index = pc.index_in(values, value_set=known, skip_nulls=True)
        return index.cast(pa.float32()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]  # untyped pyarrow

    def _as_classes(self, labels: pa.Array) -> pa.Array:
        """The labels as bool, int64 or string; whole floats (pandas' integers with gaps) count as integers."""
        kind = labels.type
        if pa.types.is_dictionary(kind):
            return self._as_classes(labels.dictionary_decode())
        if pa.types.is_boolean(kind):
            return labels
        try:
            if pa.types.is_integer(kind) or pa.types.is_floating(kind):
                return labels.cast(pa.int64())
            if pa.types.is_string(kind) or pa.types.is_large_string(kind):
                return labels.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise ConfigError(f"label {self.label!r} of a classifier must be whole numbers; got {error}") from error
        raise ConfigError(f"label {self.label!r} of a classifier must be bool, integer or string; got {kind}")

    def output_fields(self, name: str) -> list[pa.Field]:
        """`score_<name>`: float32 for two classes, else list<float32>; the classes stand in the field's metadata."""
        column = score_column(name)
        metadata = {CLASSES_METADATA: json.dumps(self.classes).encode()}
        if self.task == "binary":
            return [pa.field(column, pa.float32(), nullable=False, metadata=metadata)]
        field = published_embedding(column, len(self.classes))
        return [field.with_metadata({**field.metadata, **metadata})]

    def output_columns(self, name: str, scores: Float32) -> dict[str, pa.Array]:
        """`score_<name>` from `[n]` or `[n, K]` scores."""
        [field] = self.output_fields(name)
        if self.task == "binary":
            return {field.name: pa.array(scores, pa.float32())}
        offsets = np.arange(0, scores.size + 1, len(self.classes), dtype=np.int32)
        return {field.name: pa.ListArray.from_arrays(offsets, pa.array(scores.reshape(-1)), type=field.type)}

    def build(self) -> LabelHead:
        """The head.

        Raises:
            ConfigError: the Spec was not fitted: it names no classes.
        """
        if not self.classes:
            raise ConfigError(f"the classifier of {self.label!r} must know its classes; run `amalgam train JOB` first")
        return ClassifierHead(self)


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
