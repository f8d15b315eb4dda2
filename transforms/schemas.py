"""One input schema for many files: safely widened types, missing nullable columns, refusals that name both types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from models.arrow import list_parts
from models.errors import SchemaRefused

_STRINGS = (pt.is_string, pt.is_large_string, pt.is_string_view)
_BINARIES = (pt.is_binary, pt.is_large_binary, pt.is_binary_view, pt.is_fixed_size_binary)
_LISTS = (pt.is_list, pt.is_large_list, pt.is_fixed_size_list)
_TIME_UNITS = ["s", "ms", "us", "ns"]


def plain_type(data_type: pa.DataType) -> pa.DataType:
    """The type without a file's encodings: no dictionaries, views, extensions, large or fixed-size variants."""
    if pt.is_dictionary(data_type):
        return plain_type(data_type.value_type)
    if isinstance(data_type, pa.BaseExtensionType):
        return plain_type(data_type.storage_type)
    if any(is_kind(data_type) for is_kind in _STRINGS):
        return pa.string()
    if any(is_kind(data_type) for is_kind in _BINARIES):
        return pa.binary()
    if any(is_kind(data_type) for is_kind in _LISTS):
        return pa.list_(plain_type(data_type.value_type))
    if pt.is_struct(data_type):
        return pa.struct([pa.field(f.name, plain_type(f.type)) for f in data_type])
    return data_type


def widen(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The narrower common type that holds every value of both plain types exactly, or None where there is none."""
    if one.equals(other) or pt.is_null(other):
        return one
    if pt.is_null(one):
        return other
    if pt.is_struct(one) and pt.is_struct(other):
        return _widen_struct(one, other)
    if pt.is_list(one) and pt.is_list(other):
        inner = widen(one.value_type, other.value_type)
        return None if inner is None else pa.list_(inner)
    if pt.is_timestamp(one) and pt.is_timestamp(other):
        return _widen_timestamp(one, other)
    return _widen_number(one, other)


def _widen_timestamp(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if (one.tz is None) != (other.tz is None):
        return None  # a time of day somewhere is no instant
    # Two zones are two ways to print the same instants, which are stored in UTC.
    unit = max(one.unit, other.unit, key=_TIME_UNITS.index)
    return pa.timestamp(unit, one.tz if one.tz == other.tz else "UTC")


def _widen_number(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if pt.is_integer(one) and pt.is_integer(other):
        if pt.is_signed_integer(one) == pt.is_signed_integer(other):
            return max(one, other, key=lambda t: t.bit_width)
        signed, unsigned = (one, other) if pt.is_signed_integer(one) else (other, one)
        width = max(signed.bit_width, 2 * unsigned.bit_width)
        return {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}.get(width)
    if pt.is_floating(one) and pt.is_floating(other):
        return max(one, other, key=lambda t: t.bit_width)
    whole, real = (one, other) if pt.is_integer(one) else (other, one)
    # float64 holds every integer of 32 bits exactly (53-bit significand), not every one of 64.
    if pt.is_integer(whole) and pt.is_floating(real) and whole.bit_width <= 32:
        return pa.float64()
    return None


def _widen_struct(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    fields = []
    for field in one:
        index = other.get_field_index(field.name)
        inner = field.type if index < 0 else widen(field.type, other.field(index).type)
        if inner is None:
            return None
        fields.append(pa.field(field.name, inner))
    return pa.struct(fields)


def unify(files: Iterable[tuple[str, pa.Schema]], required: Sequence[str]) -> tuple[pa.Schema, dict[str, str]]:
    """One schema for all files.

    The schema that most files have decides which columns exist (others' added columns are ignored), together with
    the `required` columns wherever they first appear; then each type is widened over all files. So a file that does
    not fit is refused, and not the many that it does not fit to, wherever it stands in the order.

    Args:
        files: (name, schema) in input order.
        required: columns that the job reads.

    Returns:
        The common schema of plain types, and file name -> one sentence for each file that does not fit.
    """
    common = _Common(required)
    refused: dict[str, str] = {}
    for name, schema in _most_common_first(list(files)):
        if sentence := common.add(schema):
            refused[name] = f"{name}: {sentence}"
    return pa.schema([pa.field(k, v) for k, v in common.columns.items()]), refused


def _most_common_first(files: Sequence[tuple[str, pa.Schema]]) -> list[tuple[str, pa.Schema]]:
    plain = [str([(f.name, plain_type(f.type)) for f in schema]) for _, schema in files]
    seen = Counter(plain)
    order = sorted(
        range(len(files)), key=lambda i: -seen[plain[i]]
    )  # stable: of two as common, the first in input order
    return [files[i] for i in order]


class _Common:
    """The schema that the files so far have in common."""

    def __init__(self, required: Sequence[str]) -> None:
        self.columns: dict[str, pa.DataType] = {}
        self._required = required
        self._never_null: set[str] = set()

    def add(self, schema: pa.Schema) -> str | None:
        """Widen by one more file; or say why it does not fit."""
        found = {f.name: plain_type(f.type) for f in schema}
        known = found if not self.columns else {k: v for k, v in found.items() if k in {*self.columns, *self._required}}
        merged = {k: widen(self.columns.get(k, v), v) for k, v in known.items()}
        if sentence := self._misnamed(schema) or self._misfit(found, merged):
            return sentence
        if not self.columns:
            self._never_null = {f.name for f in schema if not f.nullable}
        self.columns.update(merged)
        return None

    def _misnamed(self, schema: pa.Schema) -> str | None:
        """Names that occur twice, or that would make a column of nulls where there is one."""
        doubled = sorted({name for name in schema.names if schema.names.count(name) > 1})
        if doubled:
            return f"columns must have different names; got {doubled[0]!r} more than once"
        spelled = {_folded(name): name for name in schema.names}
        for column in dict.fromkeys((*self.columns, *self._required)):
            if column in schema.names:
                continue
            if other := spelled.get(_folded(column)):
                return f"column {column!r} must be spelled as in the other files or the job; got {other!r}"
            if column in self._never_null:
                return f"column {column!r} must be there, since in the other files it is never null; got none"
        return None

    def _misfit(self, found: Mapping[str, pa.DataType], merged: Mapping[str, pa.DataType | None]) -> str | None:
        bad = [name for name, common in merged.items() if common is None]
        if not bad:
            return None
        return (
            f"column {bad[0]!r} must be {self.columns[bad[0]]} (as in the other files) or a type that widens "
            f"safely; got {found[bad[0]]}"
        )


def _folded(name: str) -> str:
    return name.strip().casefold()


def conform(batch: pa.RecordBatch, schema: pa.Schema, where: str) -> pa.RecordBatch:
    """The batch with exactly the columns and types of `schema`; missing columns are null.

    Raises:
        SchemaRefused: a value does not fit the common type.
    """
    arrays = []
    for field in schema:
        index = batch.schema.get_field_index(field.name)
        column = pa.nulls(batch.num_rows, field.type) if index < 0 else batch.column(index)
        try:
            arrays.append(cast(column, field.type))
        except pa.ArrowInvalid as error:
            raise SchemaRefused(
                f"{where}: column {field.name!r} must be {field.type}; got {column.type}: {error}"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def cast(column: pa.Array, target: pa.DataType) -> pa.Array:
    """The column as the wider `target` type; strings are taken over byte by byte, valid UTF-8 or not."""
    if column.type.equals(target):
        return column
    if pt.is_dictionary(column.type):
        return cast(column.dictionary_decode(), target)
    if isinstance(column.type, pa.BaseExtensionType):
        return cast(column.storage, target)
    if pt.is_struct(target) and pt.is_struct(column.type):
        return _cast_struct(column, target)
    if pt.is_list(target) and any(is_kind(column.type) for is_kind in _LISTS):
        return _cast_list(column, target)
    if pt.is_string(target) and not pt.is_string(column.type):
        # Casting to string checks UTF-8 and would refuse the whole column for one bad value, which is the
        # text cleaner's to judge; via binary the bytes stay as they are.
        raw = column.cast(pa.binary())
        return pa.Array.from_buffers(pa.string(), len(raw), raw.buffers(), offset=raw.offset)
    return column.cast(target)


def _cast_struct(column: pa.Array, target: pa.DataType) -> pa.Array:
    children = []
    for field in target:
        index = column.type.get_field_index(field.name)
        children.append(
            pa.nulls(len(column), field.type) if index < 0 else cast(pc.struct_field(column, index), field.type)
        )
    return pa.StructArray.from_arrays(children, fields=list(target), mask=column.is_null())


def _cast_list(column: pa.Array, target: pa.DataType) -> pa.Array:
    if not pt.is_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    values, offsets = list_parts(column)
    inner = cast(values, target.value_type)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), inner, mask=column.is_null()).cast(target)
