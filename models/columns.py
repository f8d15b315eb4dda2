"""Columns of a batch: found by name, added or replaced as a field promises, and issue codes added to rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from models.arrow import Bool, concat_lists, set_column
from models.errors import ConfigError
from models.schema import ISSUES, ISSUES_TYPE


def column_of(batch: pa.RecordBatch, name: str) -> pa.Array:
    """The column of this name.

    Raises:
        ConfigError: there is none.
    """
    index = batch.schema.get_field_index(name)
    if index < 0:
        raise ConfigError(f"the batch must have the column {name!r}; got {', '.join(batch.schema.names)}")
    return batch.column(index)


def extended(schema: pa.Schema, fields: Iterable[pa.Field]) -> pa.Schema:
    """The schema with the fields added at its end, or replaced where they stand."""
    for field in fields:
        index = schema.get_field_index(field.name)
        schema = schema.append(field) if index < 0 else schema.set(index, field)
    return schema


def with_field(batch: pa.RecordBatch, field: pa.Field, values: pa.Array) -> pa.RecordBatch:
    """As `models.arrow.set_column`, with the field's nullability and metadata."""
    index = batch.schema.get_field_index(field.name)
    return batch.append_column(field, values) if index < 0 else batch.set_column(index, field, values)


def with_issues(batch: pa.RecordBatch, issues: Mapping[str, Bool]) -> pa.RecordBatch:
    """The batch with codes added to its `issues`, behind those that stand there.

    Args:
        batch: with a column `issues`, if any code stands in any row.
        issues: code -> `[n]` the rows that it stands in.
    """
    found = {code: rows for code, rows in issues.items() if rows.any()}
    if not found:
        return batch
    added = [codes_where(code, rows) for code, rows in found.items()]
    return set_column(batch, ISSUES, concat_lists(column_of(batch, ISSUES), *added).cast(ISSUES_TYPE))


def codes_where(code: str, rows: Bool) -> pa.Array:
    """`[n]` list<string> with the code where `rows` is True."""
    offsets = np.concatenate([[0], np.cumsum(rows)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array([code] * int(rows.sum()), pa.string()))
