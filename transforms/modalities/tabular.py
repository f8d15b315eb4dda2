"""Numbers and categories of a record: cast, clipped, z-scored; rare categories share one slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from models.accumulators import MAX_VOCABULARY
from models.arrow import Bool, valid_mask
from models.schema import UNKNOWN
from models.statistics import NumberStatistics
from transforms.modalities.base import Cleaned, Cleaner, IssueLog, ModalitySpec
from transforms.modalities.standardize import (
    Clip,
    Standardizer,
    check_fitted,
    check_names,
    decoded,
    is_number,
    is_text,
    to_numbers,
    without_long,
)


class TabularSpec(ModalitySpec):
    """Columns of numbers and of categories, as one vector of features."""

    kind = "tabular"
    default_encoder = "feature_vector"
    codes = ("non_finite", "bad_type")

    numeric: tuple[str, ...] = ()
    """Columns of numbers, booleans, or strings that hold numbers; blank strings are absent values."""
    categorical: tuple[str, ...] = ()
    """Columns of strings, integers or booleans; strings are trimmed, blank ones are absent values."""
    clip: Clip = ("0.001", "0.999")
    """Fitted quantiles between which numbers are kept before they become z-scores; null keeps them all."""
    vocabulary_size: int = Field(1_000, ge=1, le=MAX_VOCABULARY)
    """How many of the fitted categories, the most frequent ones, are told apart from the unknown."""

    @model_validator(mode="after")
    def _columns(self) -> Self:
        if not self.input_columns():
            raise ValueError("numeric and categorical must name at least one column between them")
        check_names(self.input_columns(), "columns of numeric and categorical")
        return self

    def input_columns(self) -> tuple[str, ...]:
        """Numeric columns, then categorical ones."""
        return self.numeric + self.categorical

    def check_types(self, schema: pa.Schema) -> list[str]:
        """One sentence per column that is missing or cannot be read."""
        return [
            *_problems(schema, self.numeric, _is_numeric, "a number, boolean or string"),
            *_problems(schema, self.categorical, _is_category, "a string, integer or boolean"),
        ]

    def gather(self, batch: pa.RecordBatch) -> pa.Array:
        """A struct of the columns as they are; null where every one of them is null."""
        return _struct({name: batch.column(name) for name in self.input_columns()})

    def cleaned_type(self) -> pa.DataType:
        """struct<numeric…: float32, categorical…: string>."""
        numeric = [pa.field(name, pa.float32()) for name in self.numeric]
        return pa.struct([*numeric, *(pa.field(name, pa.string()) for name in self.categorical)])

    def fields(self) -> Mapping[str, str]:
        """Every column needs its statistics."""
        return dict.fromkeys(self.numeric, "number") | dict.fromkeys(self.categorical, "category")

    def observe(self, values: pa.Array) -> Mapping[str, pa.Array]:
        """Finite numbers and trimmed categories, by column."""
        columns = _columns(values)
        numbers = {name: to_numbers(columns[name]).values for name in self.numeric}
        return {name: pa.array(x[~np.isnan(x)]) for name, x in numbers.items()} | {
            name: _categories(columns[name])[0].drop_null().cast(pa.string()) for name in self.categorical
        }

    def build(self) -> Cleaner:
        """The cleaner; needs `statistics`."""
        check_fitted(self.statistics, self.fields())
        return TabularCleaner(self)


class TabularCleaner:
    """Struct of raw columns to struct of z-scores and known categories.

    Issue codes: `non_finite` (NaN or an infinity), `bad_type` (a string that is no number, not UTF-8, or longer
    than LONGEST); the value is then absent. A row without any value left is null.
    """

    def __init__(self, spec: TabularSpec) -> None:
        self._standardize: dict[str, Standardizer] = {}
        self._slots: dict[str, pa.Array] = {}
        for name in spec.input_columns():
            fitted = spec.statistics[name]
            if isinstance(fitted, NumberStatistics):
                self._standardize[name] = Standardizer(fitted, spec.clip)
            else:
                known = fitted.vocabulary[: spec.vocabulary_size]
                self._slots[name] = pa.array([*known, UNKNOWN], pa.string())

    def __call__(self, values: pa.Array) -> Cleaned:
        """Clean `[n]` structs as `TabularSpec.gather` gives them."""
        log = IssueLog(len(values))
        columns = _columns(values)
        numbers = {name: self._number(name, columns[name], log) for name in self._standardize}
        categories = {name: self._category(name, columns[name], log) for name in self._slots}
        return Cleaned(_struct(numbers | categories), log.to_arrow())

    def _number(self, name: str, column: pa.Array, log: IssueLog) -> pa.Array:
        numbers = to_numbers(column)
        log.add("non_finite", numbers.non_finite)
        log.add("bad_type", numbers.bad_type)
        return pa.array(self._standardize[name](numbers.values), mask=np.isnan(numbers.values))

    def _category(self, name: str, column: pa.Array, log: IssueLog) -> pa.Array:
        text, bad_type = _categories(column)
        log.add("bad_type", bad_type)
        slots = self._slots[name]
        index = pc.index_in(text, slots.cast(text.type)).fill_null(len(slots) - 1)
        return slots.take(pc.if_else(text.is_valid(), index, pa.scalar(None, pa.int32())))


def _problems(
    schema: pa.Schema, names: tuple[str, ...], readable: Callable[[pa.DataType], bool], what: str
) -> list[str]:
    found = {name: schema.field(name).type if name in schema.names else None for name in names}
    return [
        f"column {name!r} must be {what}; got {'no such column' if type_ is None else type_}"
        for name, type_ in found.items()
        if type_ is None or not readable(_value_type(type_))
    ]


def _value_type(found: pa.DataType) -> pa.DataType:
    return found.value_type if pa.types.is_dictionary(found) else found


def _is_numeric(found: pa.DataType) -> bool:
    return is_number(found) or is_text(found)


def _is_category(found: pa.DataType) -> bool:
    checks = (is_text, pa.types.is_integer, pa.types.is_boolean, pa.types.is_null)
    return any(check(found) for check in checks)


def _struct(arrays: dict[str, pa.Array]) -> pa.Array:
    """A struct of the arrays, null where every one of them is null."""
    absent = ~np.any([valid_mask(array) for array in arrays.values()], axis=0)
    fields = [pa.field(name, array.type) for name, array in arrays.items()]
    return pa.StructArray.from_arrays([*arrays.values()], fields=fields, mask=pa.array(absent))


def _columns(values: pa.Array) -> dict[str, pa.Array]:
    return dict(zip((field.name for field in values.type), values.flatten(), strict=True))


def _categories(column: pa.Array) -> tuple[pa.Array, Bool]:
    """Trimmed strings, null where blank, too long or not UTF-8; and where they are of the last two."""
    text, too_long = without_long(decoded(column).cast(pa.large_string()))
    not_utf8 = _not_utf8(text)
    if not_utf8.any():
        text = pc.if_else(pa.array(~not_utf8), text, pa.scalar(None, text.type))
    text = pc.utf8_trim_whitespace(text)
    blank = pc.equal(pc.binary_length(text), 0)
    return pc.if_else(blank, pa.scalar(None, text.type), text), too_long | not_utf8


def _not_utf8(text: pa.Array) -> Bool:
    """`[n]`: rows that are not UTF-8. (Parquet files may hold them in string columns.)"""
    bad = np.zeros(len(text), dtype=np.bool_)
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:  # the rare case: find the rows one by one
        for row, value in enumerate(text.cast(pa.large_binary())):
            bad[row] = value.is_valid and not _decodes(value.as_py())
    return bad


def _decodes(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
