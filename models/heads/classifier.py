"""Classifier: calibrated class probabilities from the fused vector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import StrictBool, StrictInt, StrictStr

from models.arrow import Float32
from models.errors import ConfigError
from models.heads._spec import LabelHeadSpec, Task
from models.schema import published_embedding, score_column

if TYPE_CHECKING:
    from models.heads.base import LabelHead

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
        from models.heads._classifier import ClassifierHead

        return ClassifierHead(self)
