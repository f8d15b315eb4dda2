"""One input schema for many files: safely widened types, missing nullable columns, refusals that name both types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    """The type with encodings of the file taken off: no dictionaries, no views, no large or fixed-size variants."""
    if pt.is_dictionary(data_type):
        return plain_type(data_type.value_type)
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
    if pt.is_timestamp(one) and pt.is_timestamp(other) and one.tz == other.tz:
        return pa.timestamp(max(one.unit, other.unit, key=_TIME_UNITS.index), one.tz)
    return _widen_number(one, other)


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

    The first file decides which columns exist (others' added columns are ignored), together with the `required`
    columns wherever they first appear; each type is widened over all files.

    Args:
        files: (name, schema) in input order.
        required: columns that the job reads.

    Returns:
        The common schema of plain types, and file name -> one sentence for each file that does not fit.
    """
    columns: dict[str, pa.DataType] = {}
    refused: dict[str, str] = {}
    for name, schema in files:
        found = {f.name: plain_type(f.type) for f in schema}
        if doubled := sorted({f.name for f in schema if schema.names.count(f.name) > 1}):
            refused[name] = f"{name}: columns must have different names; got {doubled[0]!r} more than once"
            continue
        known = found if not columns else {k: v for k, v in found.items() if k in columns or k in required}
        merged = {k: widen(columns.get(k, v), v) for k, v in known.items()}
        if bad := [k for k, v in merged.items() if v is None]:
            column = bad[0]
            refused[name] = (
                f"{name}: column {column!r} must be {columns[column]} (as in the files before) or a type that widens "
                f"safely; got {found[column]}"
            )
            continue
        columns.update(merged)
    return pa.schema([pa.field(k, v) for k, v in columns.items()]), refused


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
