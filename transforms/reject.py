"""Reject: the one step that removes rows. What it takes out goes to quarantine with a reason and the whole record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from models.arrow import Bool, Int64, valid_mask
from models.schema import ROW
from transforms.blame import Failure, Fault
from transforms.key_hashes import usable_keys

KEY_MISSING = "key.missing"
KEY_NOT_UTF8 = "key.not_utf8"
KEY_DUPLICATE = "key.duplicate"
NO_MODALITY = "row.no_modality"
ROW_GROUP = "file.row_group"
FAILURES: Mapping[Fault, str] = {
    Fault.DATA: "row.failed",
    Fault.MEMORY: "row.out_of_memory",
    Fault.DEATH: "row.process_crash",
}
"""Reasons for rows at which a step fails, for which there is not enough memory, or at which processes die."""


def quarantine_schema(record: pa.DataType) -> pa.Schema:
    """Schema of a quarantine file; `record` is the struct of the whole input record."""
    return pa.schema(
        [
            pa.field("key", pa.string()),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("stage", pa.string(), nullable=False),
            pa.field("unit", pa.string(), nullable=False),
            pa.field("row", pa.int64(), nullable=False),
            pa.field("record", record),
        ]
    )


class Rejected(NamedTuple):
    """A batch, split."""

    kept: pa.RecordBatch
    quarantined: pa.RecordBatch
    """Of `quarantine_schema`."""


class Reject:
    """Splits batches into rows that can be published and rows that cannot."""

    def __init__(self, schema: pa.Schema, key: str, unit: str, repeated: Int64) -> None:
        self._schema = schema
        self._key = key
        self._unit = unit
        self._repeated = repeated
        self._quarantine = quarantine_schema(pa.struct(list(schema)))

    def __call__(self, batch: pa.RecordBatch, stage: str, present: Sequence[str]) -> Rejected:
        """Split a batch.

        Args:
            batch: the input's columns and more.
            stage: named in quarantine (`clean`, `embed`).
            present: columns of which at least one must not be null in a row that stays.
        """
        reasons = self._reasons(batch, present)
        kept = reasons == ""
        if kept.all():
            return Rejected(batch, self._none())
        removed = batch.filter(pa.array(~kept))
        return Rejected(batch.filter(pa.array(kept)), self._record(removed, reasons[~kept], stage))

    def refused(self, batch: pa.RecordBatch) -> Bool:
        """`[n]`: rows that are split off whatever becomes of their modalities: for their key."""
        return cast(Bool, self._of_keys(batch, np.full(batch.num_rows, "", dtype="U32")) != "")

    def failed(self, batch: pa.RecordBatch, guilty: Mapping[int, Failure], stage: str) -> Rejected:
        """Split off the rows (by position) at which a stage fails.

        Args:
            batch: the input's columns and more.
            guilty: at least one.
            stage: named in quarantine.
        """
        removed = np.zeros(batch.num_rows, dtype=np.bool_)
        removed[list(guilty)] = True
        reasons = np.array([FAILURES[guilty[row].fault] for row in sorted(guilty)])
        lines = self._record(batch.filter(pa.array(removed)), reasons, stage)
        return Rejected(batch.filter(pa.array(~removed)), lines)

    def lost(self, rows: Int64) -> pa.RecordBatch:
        """Quarantine lines for rows that could not even be read: no key, no record."""
        n = len(rows)
        columns = [
            pa.nulls(n, pa.string()),
            pa.array([ROW_GROUP] * n),
            pa.array(["read"] * n),
            pa.array([self._unit] * n),
        ]
        record = pa.nulls(n, self._quarantine.field("record").type)
        return pa.RecordBatch.from_arrays([*columns, pa.array(rows, pa.int64()), record], schema=self._quarantine)

    def _reasons(self, batch: pa.RecordBatch, present: Sequence[str]) -> npt.NDArray[np.str_]:
        reasons = np.full(batch.num_rows, "", dtype="U32")
        usable = np.zeros(batch.num_rows, dtype=np.bool_)
        for name in present:
            usable |= valid_mask(batch.column(batch.schema.get_field_index(name)))
        reasons[~usable] = NO_MODALITY
        return self._of_keys(batch, reasons)

    def _of_keys(self, batch: pa.RecordBatch, reasons: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
        """The reasons, with those of unusable keys in their place."""
        rows = batch.column(batch.schema.get_field_index(ROW)).to_numpy()
        reasons[np.isin(rows, self._repeated)] = KEY_DUPLICATE
        keys = batch.column(batch.schema.get_field_index(self._key))
        reasons[~_is_text(keys)] = KEY_NOT_UTF8
        reasons[~usable_keys(keys)] = KEY_MISSING
        return reasons

    def _record(self, rows: pa.RecordBatch, reasons: npt.NDArray[np.str_], stage: str) -> pa.RecordBatch:
        n = rows.num_rows
        inputs = [rows.column(rows.schema.get_field_index(f.name)) for f in self._schema]
        record = pa.StructArray.from_arrays(inputs, fields=list(self._schema))
        columns = [
            readable_key(rows.column(rows.schema.get_field_index(self._key))),
            pa.array(reasons.tolist(), pa.string()),
            pa.array([stage] * n, pa.string()),
            pa.array([self._unit] * n, pa.string()),
            rows.column(rows.schema.get_field_index(ROW)),
            record,
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._quarantine)

    def _none(self) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([], schema=self._quarantine)


def readable_key(keys: pa.Array) -> pa.Array:
    """Keys as strings that can be shown; binary keys in hex, bytes that are not UTF-8 as U+FFFD."""
    if pt.is_binary(keys.type):
        return pa.array([None if k is None else k.hex() for k in keys.to_pylist()], pa.string())
    if _is_text(keys).all():
        return keys.cast(pa.string())
    return pa.array([None if k is None else k.decode(errors="replace") for k in _raw(keys)], pa.string())


def _is_text(keys: pa.Array) -> Bool:
    """`[n]`: False where a string is not UTF-8: Parquet files may hold such, but few readers take them."""
    valid = np.ones(len(keys), dtype=np.bool_)
    if not pt.is_string(keys.type):
        return valid
    try:
        keys.validate(full=True)
    except pa.ArrowInvalid:  # the rare case: find the rows one by one
        for row, raw in enumerate(_raw(keys)):
            valid[row] = raw is None or raw.decode(errors="replace").encode() == raw
    return valid


def _raw(keys: pa.Array) -> list[bytes | None]:
    values: list[bytes | None] = keys.cast(pa.binary()).to_pylist()
    return values
