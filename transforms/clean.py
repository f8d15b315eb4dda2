"""Clean: every modality of a batch, cleaned and normalized; issue codes carry the modality's name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.arrow import concat_lists, list_parts, set_column, valid_mask
from models.schema import ISSUES, ISSUES_TYPE, clean_column
from transforms.modalities.base import ModalitySpec


def known_column(modality: str) -> str:
    """Name of the column that is not null where a modality's value need not be cleaned: its embedding is known."""
    return f"__known_{modality}__"


class Clean:
    """BatchOp: adds `clean_<modality>` (null where masked or known) for every modality, and `issues`."""

    def __init__(self, modalities: Mapping[str, ModalitySpec]) -> None:
        self._modalities = dict(modalities)
        self._cleaners = {name: spec.build() for name, spec in self._modalities.items()}

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The input's columns, then the cleaned ones, then `issues`."""
        for name, spec in self._modalities.items():
            schema = schema.append(pa.field(clean_column(name), spec.cleaned_type()))
        return schema.append(pa.field(ISSUES, ISSUES_TYPE))

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with cleaned values."""
        issues = []
        for name, spec in self._modalities.items():
            cleaned = self._cleaners[name](_unknown(spec.gather(batch), batch, name))
            batch = batch.append_column(clean_column(name), cleaned.values)
            issues.append(named_issues(name, cleaned.issues))
        return set_column(batch, ISSUES, concat_lists(*issues).cast(ISSUES_TYPE))


def _unknown(values: pa.Array, batch: pa.RecordBatch, modality: str) -> pa.Array:
    """The values, null where they are known."""
    index = batch.schema.get_field_index(known_column(modality))
    if index < 0 or batch.column(index).null_count == len(values):
        return values
    known = valid_mask(batch.column(index))
    return values.take(pa.array(np.arange(len(values)), mask=known))


def named_issues(modality: str, codes: pa.Array) -> pa.Array:
    """list<string> of `<modality>.<code>` from a list<string> of codes."""
    values, offsets = list_parts(codes)
    named = pc.binary_join_element_wise(pa.scalar(modality), values, ".").cast(pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), named)
