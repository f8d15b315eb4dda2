"""Classifier: calibrated class probabilities from the fused vector."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, StrictBool, StrictInt, StrictStr

from models.arrow import Bool, Float32, list_parts, valid_mask
from models.errors import ConfigError
from models.heads._spec import LOW_CONFIDENCE, LabelHeadSpec, Task, score_array
from models.schema import published_embedding, score_column

if TYPE_CHECKING:
    from models.heads.base import LabelHead

CLASSES_METADATA = b"amalgam.classes"  # field metadata of a score: the classes, as a JSON list
MOST_CLASSES = 1000  # more distinct labels than ImageNet has are a number or a key, not a class


class ClassifierSpec(LabelHeadSpec):
    """Predicts a class; publishes P(last class) of two, or one probability per class of more.

    A label column of lists holds the classes that apply, any number of them; each has a probability of its own.
    """

    kind: ClassVar[str] = "classifier"
    derived: ClassVar[frozenset[str]] = LabelHeadSpec.derived | {"classes", "prior", "several"}

    abstain_below: float = Field(default=0.0, ge=0, le=1)
    """A row whose largest probability is below this gets the issue `<head>.low_confidence`; its score stays. (Where
    several classes may apply, the least certain yes or no counts.)"""
    classes: tuple[StrictBool, ...] | tuple[StrictInt, ...] | tuple[StrictStr, ...] = ()
    """The label's values in ascending order (false, true); of two classes the last is the one that is scored."""
    prior: tuple[float, ...] = ()
    """Share of each class among the training labels; the head's first guess."""
    several: bool = False
    """Whether labels are lists of classes, all of which apply."""

    @property
    def task(self) -> Task:
        """Multilabel for lists; else binary for two classes, multiclass for more."""
        if self.several:
            return "multilabel"
        return "binary" if len(self.classes) == 2 else "multiclass"

    def fitted(self, labels: pa.Array, input_dim: int) -> Self:
        """With the classes and their shares from the training labels.

        Raises:
            ConfigError: the label is no class (a fraction, a struct …), or has fewer than 2 (of lists: 1) or more than
                1,000 values.
        """
        several = _are_lists(labels)
        values = self._as_classes(_filled(labels).flatten() if several else labels).drop_null()
        classes, least = pc.unique(values).sort(), 1 if several else 2
        if not least <= len(classes) <= MOST_CLASSES:
            raise ConfigError(
                f"label {self.label!r} of a classifier must have {least} to {MOST_CLASSES} classes; got {len(classes)}"
            )
        known = self.model_copy(update={"classes": tuple(classes.to_pylist()), "several": several})
        learned = {"prior": known._shares(known.targets(labels)), "input_dim": input_dim}
        return type(self).model_validate({**known.model_dump(), **learned})

    def _shares(self, targets: Float32) -> tuple[float, ...]:
        """Of each class; where several may apply (c + 1/2) / (n + 1), so that none is certain (Jeffreys' prior)."""
        if self.several:
            rows = targets[~np.isnan(targets).any(axis=1)].astype(np.float64)  # [n, K]
            return tuple(((rows.sum(axis=0) + 0.5) / (len(rows) + 1)).tolist())
        counts = np.bincount(targets[~np.isnan(targets)].astype(np.int64))
        return tuple((counts / counts.sum()).tolist())

    def targets(self, labels: pa.Array) -> Float32:
        """float32 `[n]` index into `classes`; NaN where the label is null or a value that training never saw.

        Of lists, `[n, K]`: 1 for each class in the list, else 0, NaN where the list is null. What stands in it that
        training never saw cannot be predicted and is left out.
        """
        if self.several:
            return self._memberships(labels)
        return self._index(labels).cast(pa.float32()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    def _memberships(self, labels: pa.Array) -> Float32:
        if not _are_lists(labels):
            raise ConfigError(f"label {self.label!r} must be a list as in training; got {labels.type}")
        values, offsets = list_parts(_filled(labels))
        index = self._index(values).fill_null(-1).to_numpy(zero_copy_only=False)
        owner = np.repeat(np.arange(len(labels)), np.diff(offsets))
        targets = np.zeros((len(labels), len(self.classes)), np.float32)
        targets[owner[index >= 0], index[index >= 0]] = 1
        targets[~valid_mask(labels)] = np.nan
        return targets

    def _index(self, labels: pa.Array) -> pa.Array:
        """int32 place in `classes`, null where the label is null or unknown."""
        values, known = self._as_classes(labels), pa.array(self.classes)
        if known.type != values.type:
            raise ConfigError(f"label {self.label!r} must be of type {known.type} as in training; got {labels.type}")
        return pc.index_in(values, value_set=known, skip_nulls=True)

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

    def doubts(self, scores: Float32) -> dict[str, Bool]:
        """`low_confidence` where the largest probability is below `abstain_below`."""
        if not self.abstain_below:
            return {}
        sure = scores if self.task == "multiclass" else np.maximum(scores, 1 - scores)  # [n] or [n, K]
        if self.task != "binary":
            sure = sure.max(axis=1) if self.task == "multiclass" else sure.min(axis=1)
        return {LOW_CONFIDENCE: sure < self.abstain_below}

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
        return {field.name: score_array(field, scores)}

    def build(self) -> LabelHead:
        """The head.

        Raises:
            ConfigError: the Spec was not fitted: it names no classes.
        """
        if not self.classes:
            raise ConfigError(f"the classifier of {self.label!r} must know its classes; run `amalgam train JOB` first")
        from models.heads._classifier import ClassifierHead, LogitPool
        from models.heads._late import LateHead

        return ClassifierHead(self) if self.late is None else LateHead(self, LogitPool(self))


def _are_lists(labels: pa.Array) -> bool:
    return bool(pa.types.is_list(labels.type) or pa.types.is_large_list(labels.type))


def _filled(lists: pa.Array) -> pa.Array:
    """With nothing in the place of null."""
    return pc.fill_null(lists, pa.scalar([], lists.type))
