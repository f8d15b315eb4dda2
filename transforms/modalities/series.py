"""Events with a time and numbers, as lists of structs: sorted by time, capped to the latest, z-scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from models.accumulators import Float64
from models.arrow import Bool, Int64, valid_mask
from models.statistics import NumberStatistics
from transforms.modalities.base import Cleaned, Cleaner, IssueLog, ModalitySpec
from transforms.modalities.standardize import (
    Clip,
    Standardizer,
    check_fitted,
    check_names,
    is_number,
    to_numbers,
)

TIME: Final = "time"  # what encoders find an event's time under, whatever the input calls it
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_PER_DAY = 86_400
_BLOCK_EVENTS = 1_000_000
"""Sorted at a time, some 100 bytes each: a list of ten million events costs no more memory than one of a million."""


class SeriesSpec(ModalitySpec):
    """A column of lists of structs: one list per record, one struct per event."""

    kind = "series"
    default_encoder = "series_summary"
    codes = ("empty", "non_finite", "too_long")

    column: str
    """The column: list<struct<…>>."""
    time: str = "time"
    """The struct's field that says when: a timestamp, a date, or seconds since 1970 (UTC)."""
    values: tuple[str, ...] = ()
    """The struct's fields to read; empty means all that are numbers, in the struct's order."""
    max_length: int = Field(512, ge=1)
    """Events kept of each record: the latest ones; more get the issue code `too_long`."""
    clip: Clip = ("0.001", "0.999")
    """Fitted quantiles between which values are kept before they become z-scores; null keeps them all."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        check_names((self.time, *self.values), "time and values")
        if TIME in self.values:
            raise ValueError(f"values must not hold {TIME!r}, the name of the cleaned time; got {list(self.values)}")
        return self

    def resolve(self, schema: pa.Schema) -> SeriesSpec:
        """This Spec with `values` filled in from the input's schema where the job file names none."""
        events = _event_type(schema, self.column)
        if self.values or events is None:
            return self
        numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        names = [f.name for f in events if f.name not in (self.time, TIME) and any(check(f.type) for check in numbers)]
        return self.model_copy(update={"values": tuple(names)})

    def input_columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def check_types(self, schema: pa.Schema) -> list[str]:
        """One sentence for the column, or for each field of its struct that is missing or cannot be read."""
        events = _event_type(schema, self.column)
        if events is None:
            found = schema.field(self.column).type if self.column in schema.names else "no such column"
            return [f"column {self.column!r} must be list<struct<{self.time}, numbers…>>; got {found}"]
        found = {field.name: field.type for field in events}
        wrong = {name: "a number" for name in self.values if name not in found or not is_number(found[name])}
        if self.time not in found or not _is_time(found[self.time]):
            wrong = {self.time: "a timestamp, date or number of seconds", **wrong}
        return [
            f"field {name!r} of column {self.column!r} must be {what}; got {found.get(name, 'no such field')}"
            for name, what in wrong.items()
        ]

    def gather(self, batch: pa.RecordBatch) -> pa.Array:
        """The column as it is."""
        return batch.column(self.column)

    def cleaned_type(self) -> pa.DataType:
        """list<struct<time: float64, value…: float32>>."""
        values = [pa.field(name, pa.float32()) for name in self.values]
        return pa.list_(pa.struct([pa.field(TIME, pa.float64()), *values]))

    def fields(self) -> Mapping[str, str]:
        """Every value needs its statistics; time is not normalized."""
        return dict.fromkeys(self.values, "number")

    def observe(self, values: pa.Array) -> Mapping[str, pa.Array]:
        """The values of the events that cleaning keeps."""
        events = _latest(values, self, IssueLog(len(values)))
        return {name: pa.array(events.values[name]) for name in self.values}

    def build(self) -> Cleaner:
        """The cleaner; needs `statistics`."""
        check_fitted(self.statistics, self.fields())
        return SeriesCleaner(self)


class SeriesCleaner:
    """Lists of raw events to lists of sorted, capped and z-scored ones.

    Issue codes: `non_finite` (events without a time or with a value that is null, NaN or an infinity; they
    are dropped), `too_long` (the earliest events were cut), `empty` (a list without events, which becomes
    null). A list whose events were all dropped is null, too.
    """

    def __init__(self, spec: SeriesSpec) -> None:
        self._spec = spec
        self._standardize = {
            name: Standardizer(fitted, spec.clip)
            for name, fitted in spec.statistics.items()
            if isinstance(fitted, NumberStatistics)
        }

    def __call__(self, values: pa.Array) -> Cleaned:
        """Clean `[n]` lists."""
        spec, log = self._spec, IssueLog(len(values))
        events = _latest(values, spec, log)
        columns = [pa.array(self._standardize[name](events.values[name])) for name in spec.values]
        type_ = spec.cleaned_type()
        structs = pa.StructArray.from_arrays([pa.array(events.time), *columns], fields=list(type_.value_type))
        lengths = events.lengths()
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        lists = pa.ListArray.from_arrays(offsets, structs, type=type_, mask=pa.array(lengths == 0))
        return Cleaned(lists, log.to_arrow())


class _Events(NamedTuple):
    """m events of n lists."""

    rows: int
    row: Int64  # [m]
    time: Float64  # [m]
    values: dict[str, Float64]  # [m] each

    def lengths(self) -> Int64:
        """`[n]` events of each list."""
        return np.bincount(self.row, minlength=self.rows).astype(np.int64)

    def take(self, which: Bool | Int64) -> _Events:
        """The events that a mask or an order picks."""
        values = {name: value[which] for name, value in self.values.items()}
        return _Events(self.rows, self.row[which], self.time[which], values)

    def followed_by(self, other: _Events) -> _Events:
        """These events, then the others, of the same lists."""
        values = {name: np.concatenate([value, other.values[name]]) for name, value in self.values.items()}
        row, time = np.concatenate([self.row, other.row]), np.concatenate([self.time, other.time])
        return _Events(self.rows, row, time, values)

    def latest(self, length: int) -> _Events:
        """At most `length` events of each list, sorted by list, then by time; equal times stay in their order."""
        ordered = self.take(np.lexsort((self.time, self.row)))
        lengths = ordered.lengths()
        from_end = np.cumsum(lengths)[ordered.row] - np.arange(len(ordered.row))  # 1 for a list's last event
        return ordered.take(from_end <= length)


def _latest(values: pa.Array, spec: SeriesSpec, log: IssueLog) -> _Events:
    """The latest usable events of all lists; `log` gets the issues."""
    # (Not `list_parent_indices`: it counts what lies hidden under null lists, `list_flatten` does not.)
    lengths = pc.list_value_length(values).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    structs, bounds = pc.list_flatten(values), np.concatenate([[0], np.cumsum(lengths)])
    latest, usable = _events(structs[:0], np.zeros(0, np.int64), len(values), spec), np.zeros(len(values), np.int64)
    for start in range(0, len(structs), _BLOCK_EVENTS):
        block = structs.slice(start, _BLOCK_EVENTS)
        row = np.repeat(np.arange(len(values)), np.diff(bounds.clip(start, start + len(block))))  # [m]
        found = _events(block, row, len(values), spec)
        usable += found.lengths()
        latest = latest.followed_by(found).latest(spec.max_length)
    log.add("empty", valid_mask(values) & (lengths == 0))
    log.add("non_finite", usable < lengths)
    log.add("too_long", usable > spec.max_length)
    return latest


def _events(structs: pa.Array, row: Int64, rows: int, spec: SeriesSpec) -> _Events:
    """The usable ones among events whose lists `row` names."""
    fields = dict(zip((field.name for field in structs.type), structs.flatten(), strict=True))
    numbers = {name: to_numbers(fields[name]).values for name in spec.values}
    time = _seconds(fields[spec.time])
    usable = np.logical_and.reduce([np.isfinite(x) for x in (time, *numbers.values())])  # [m]
    return _Events(rows, row, time, numbers).take(usable)


def _seconds(times: pa.Array) -> Float64:
    """Seconds since 1970 (UTC), NaN where null; timestamps without a time zone are taken as UTC."""
    found = times.type
    if pa.types.is_timestamp(found):
        return to_numbers(times.cast(pa.int64())).values / _PER_SECOND[found.unit]
    if pa.types.is_date32(found):
        return to_numbers(times.cast(pa.int32())).values * _SECONDS_PER_DAY
    if pa.types.is_date64(found):
        return to_numbers(times.cast(pa.int64())).values / _PER_SECOND["ms"]
    return to_numbers(times).values


def _event_type(schema: pa.Schema, column: str) -> pa.StructType | None:
    """The struct type of a column of lists of structs; None when it is no such column."""
    found = schema.field(column).type if column in schema.names else pa.null()
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    is_events = any(check(found) for check in lists) and pa.types.is_struct(found.value_type)
    return found.value_type if is_events else None


def _is_time(found: pa.DataType) -> bool:
    checks = (pa.types.is_timestamp, pa.types.is_date, pa.types.is_integer, pa.types.is_floating)
    return any(check(found) for check in checks)
