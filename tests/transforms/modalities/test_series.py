"""The series cleaner: sorted, capped, z-scored; null, empty and hidden entries; every list and time type."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.errors import ConfigError
from models.statistics import FieldStatistics, NumberStatistics
from transforms.modalities.base import Cleaned
from transforms.modalities.series import SeriesSpec

FITTED: dict[str, FieldStatistics] = {
    "amount": NumberStatistics(count=9, mean=10.0, variance=4.0, quantiles={"0.001": 0.0, "0.999": 20.0}),
}
SPEC = SeriesSpec(column="visits", values=("amount",), statistics=FITTED)
VISIT = pa.struct({"time": pa.timestamp("us", tz="UTC"), "amount": pa.float64(), "note": pa.string()})
NAN = math.nan


def visits(*rows: list[tuple[int | None, float | None] | None] | None) -> pa.Array:
    """Lists of (seconds, amount) as a column of lists of structs."""
    return pa.array(
        [
            None
            if row is None
            else [v and {"time": None if v[0] is None else v[0] * 10**6, "amount": v[1]} for v in row]
            for row in rows
        ],
        pa.list_(VISIT),
    )


def events(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    """A cleaned list as Python sees it."""
    return [{"time": time, "amount": amount} for time, amount in pairs]


def clean(values: pa.Array, spec: SeriesSpec = SPEC) -> Cleaned:
    """The values cleaned."""
    return spec.build()(values)


def test_events_are_sorted_and_standardized() -> None:
    """z = (x - 10) / 2 in order of time; 99 is clipped to 20, which is 5."""
    found = clean(visits([(30, 12.0), (10, 8.0), (20, 99.0)]))
    assert found.values.type == SPEC.cleaned_type()
    assert found.values.to_pylist() == [events((10, -1.0), (20, 5.0), (30, 1.0))]
    assert found.issues.to_pylist() == [[]]


def test_equal_times_keep_their_order() -> None:
    """Sorting is stable."""
    found = clean(visits([(5, 12.0), (5, 8.0), (1, 10.0), (5, 14.0)]))
    assert found.values.to_pylist() == [events((1, 0.0), (5, 1.0), (5, -1.0), (5, 2.0))]


def test_unusable_events_are_dropped() -> None:
    """No time, no value, NaN, an infinity, or no struct at all; a list that loses all of them is null."""
    found = clean(visits([(1, NAN), (2, 10.0), None], [(None, 10.0)], [(1, None), (2, math.inf)], [(1, 10.0)]))
    assert found.values.to_pylist() == [events((2, 0.0)), None, None, events((1, 0.0))]
    assert found.issues.to_pylist() == [["non_finite"], ["non_finite"], ["non_finite"], []]


def test_absent_lists_are_null_and_empty_ones_have_a_code() -> None:
    """Nothing there is normal; a list of nothing is told."""
    found = clean(visits(None, [], [(1, 10.0)]))
    assert found.values.to_pylist() == [None, None, events((1, 0.0))]
    assert found.issues.to_pylist() == [[], ["empty"], []]


def test_the_latest_events_are_kept() -> None:
    """Of three usable events with room for two, the earliest goes; dropped ones do not take up room."""
    spec = SPEC.model_copy(update={"max_length": 2})
    found = clean(visits([(3, 10.0), (1, 10.0), (2, 10.0)], [(1, 10.0), (9, NAN), (2, 10.0)]), spec)
    assert found.values.to_pylist() == [events((2, 0.0), (3, 0.0)), events((1, 0.0), (2, 0.0))]
    assert found.issues.to_pylist() == [["too_long"], ["non_finite"]]


def test_entries_hidden_under_null_lists_do_not_appear() -> None:
    """Arrow allows a null list to cover entries, and a neighbour must not inherit them."""
    inner = visits([(1, 10.0), (2, 12.0), (3, 14.0)]).values
    values = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), inner, mask=pa.array([True, False]))
    assert clean(values).values.to_pylist() == [None, events((3, 2.0))]


@pytest.mark.parametrize("list_type", [pa.list_(VISIT), pa.large_list(VISIT), pa.list_(VISIT, 1)], ids=str)
def test_every_list_type_is_read(list_type: pa.DataType) -> None:
    """Lists, large lists and lists of a fixed size, also in slices."""
    values = visits(None, [(1, 12.0)], None, [(2, 8.0)]).cast(list_type)
    assert SPEC.check_types(pa.schema({"visits": list_type})) == []
    assert clean(values.slice(1)).values.to_pylist() == [events((1, 1.0)), None, events((2, -1.0))]


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (pa.array([NOON], pa.timestamp("s", tz="UTC")), NOON.timestamp()),
        (pa.array([NOON], pa.timestamp("ms", tz="UTC")), NOON.timestamp()),
        (pa.array([NOON], pa.timestamp("ns", tz="UTC")), NOON.timestamp()),
        (pa.array([NOON.replace(tzinfo=None)], pa.timestamp("us")), NOON.timestamp()),  # no zone means UTC
        (pa.array([NOON], pa.timestamp("us", tz="Asia/Tokyo")), NOON.timestamp()),  # the same moment elsewhere
        (pa.array([NOON.date()], pa.date32()), NOON.timestamp() - 12 * 3_600),
        (pa.array([NOON.date()], pa.date64()), NOON.timestamp() - 12 * 3_600),
        (pa.array([1_795_435_200]), 1_795_435_200.0),
        (pa.array([-0.5]), -0.5),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_every_time_type_becomes_seconds_since_1970(times: pa.Array, seconds: float) -> None:
    """Timestamps of any unit and zone, dates, and numbers of seconds."""
    structs = pa.StructArray.from_arrays([times, pa.array([10.0])], ["time", "amount"])
    values = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), structs)
    assert SPEC.check_types(pa.schema({"visits": values.type})) == []
    assert clean(values).values.to_pylist() == [events((seconds, 0.0))]


@settings(deadline=None)
@given(
    st.lists(
        st.none()
        | st.lists(st.none() | st.tuples(st.none() | st.integers(-9, 9), st.none() | st.floats()), max_size=5),
        max_size=6,
    ),
    st.integers(0, 6),
)
def test_slices_are_cleaned_as_if_they_stood_alone(rows: list[Any], cut: int) -> None:
    """Any events never raise, keep the number of lists, come out sorted, and do not depend on neighbours."""
    spec = SPEC.model_copy(update={"max_length": 3})
    values = visits(*rows)
    whole, part = clean(values, spec), clean(values.slice(cut), spec)
    assert len(whole.values) == len(whole.issues) == len(rows)
    assert part.values.to_pylist() == whole.values.slice(cut).to_pylist()
    assert part.issues.to_pylist() == whole.issues.slice(cut).to_pylist()
    for row in whole.values.to_pylist():
        times = [event["time"] for event in row or []]
        assert times == sorted(times)


def test_cleaning_again_with_the_standard_statistics_changes_nothing() -> None:
    """z-scores of z-scores are the same where mean is 0 and variance 1."""
    standard = NumberStatistics(count=9, mean=0.0, variance=1.0, quantiles={"0.001": -9.0, "0.999": 9.0})
    spec = SPEC.model_copy(update={"statistics": {"amount": standard}, "max_length": 2})
    once = clean(visits([(3, 1.0), (1, 2.0), (2, -1.5)], None, []), spec)
    twice = clean(once.values, spec)
    assert twice.values.equals(once.values)
    assert twice.issues.to_pylist() == [[], [], []]


def test_what_is_observed_is_what_cleaning_keeps() -> None:
    """Neither dropped events nor those cut for length enter the statistics."""
    spec = SeriesSpec(column="visits", values=("amount",), max_length=2)
    observed = spec.observe(visits([(3, 30.0), (1, 10.0), (2, 20.0)], None, [(1, NAN)]))
    assert observed["amount"].to_pylist() == [20.0, 30.0]


def test_values_are_resolved_from_the_schema() -> None:
    """Without names, all fields that are numbers are read, in the struct's order; named ones stay."""
    fields = {"time": pa.timestamp("us"), "duration": pa.float64(), "note": pa.string(), "pages": pa.int32()}
    schema = pa.schema({"visits": pa.list_(pa.struct(fields))})
    assert SeriesSpec(column="visits").resolve(schema).values == ("duration", "pages")
    assert SPEC.resolve(schema) == SPEC


def test_resolving_leaves_wrong_columns_to_the_type_check() -> None:
    """A column that is no list of structs raises nothing here."""
    spec = SeriesSpec(column="visits")
    assert spec.resolve(pa.schema({"visits": pa.int64()})) == spec


@pytest.mark.parametrize(
    ("column_type", "problem"),
    [
        (pa.int64(), "column 'visits' must be list<struct<time, numbers…>>; got int64"),
        (pa.list_(pa.int64()), "column 'visits' must be list<struct<time, numbers…>>; got list<item: int64>"),
        (
            pa.list_(pa.struct({"time": pa.string(), "amount": pa.int8()})),
            "field 'time' of column 'visits' must be a timestamp, date or number of seconds; got string",
        ),
        (
            pa.list_(pa.struct({"time": pa.date32()})),
            "field 'amount' of column 'visits' must be a number; got no such field",
        ),
    ],
    ids=["no list", "no structs", "time", "value"],
)
def test_wrong_column_types_are_named(column_type: pa.DataType, problem: str) -> None:
    """One sentence: what must be what, and what it is."""
    assert SPEC.check_types(pa.schema({"visits": column_type})) == [problem]


def test_a_missing_column_is_named() -> None:
    """The schema may lack the column altogether."""
    [problem] = SPEC.check_types(pa.schema({"other": pa.int64()}))
    assert problem.endswith("got no such column")


def test_building_needs_statistics() -> None:
    """The error names the field and the command."""
    with pytest.raises(ConfigError, match=r"amount \(number\).*amalgam fit JOB"):
        SeriesSpec(column="visits", values=("amount",)).build()


def test_cleaned_time_has_one_name() -> None:
    """Whatever the input calls it, encoders find the time under `time`."""
    structs = pa.struct({"at": pa.int64(), "amount": pa.float64()})
    spec = SeriesSpec(column="visits", time="at", statistics=FITTED).resolve(pa.schema({"visits": pa.list_(structs)}))
    found = clean(pa.array([[{"at": 5, "amount": 10.0}]], pa.list_(structs)), spec)
    assert found.values.to_pylist() == [events((5, 0.0))]
    assert found.values.type == spec.cleaned_type()


@pytest.mark.parametrize(("time", "values"), [("time", ("time",)), ("at", ("a", "a")), ("at", ("time",))])
def test_names_must_differ(time: str, values: tuple[str, ...]) -> None:
    """A value may not be the time, nor take its name, nor stand there twice."""
    with pytest.raises(ValidationError):
        SeriesSpec(column="visits", time=time, values=values)
