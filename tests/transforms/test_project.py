"""Tests of the published columns: their order, types and values, and times from whatever the input holds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrow import from_numpy
from models.schema import DIM_METADATA, FUSED, ISSUES, ISSUES_TYPE, TIMESTAMP
from tests.transforms.tiny_recipes import DIM, END, FUSED_DIM, START, make_recipe
from transforms.project import Project, published_list, utc_microseconds

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
INPUT = pa.schema([("id", pa.string()), ("time", pa.timestamp("ns")), ("city", pa.string()), ("age", pa.float64())])


def scored(**columns: Any) -> pa.RecordBatch:
    """Two scored rows, the second without a note; `columns` replace or add."""
    found: dict[str, Any] = {
        "id": pa.array(["a", "b"]),
        "time": pa.array([NOON.replace(tzinfo=None), None], pa.timestamp("ns")),
        "city": pa.array(["Bonn", None]),
        "age": pa.array([1.0, 2.0]),
        "emb_note": from_numpy(np.array([[1, 2, 3, 4], [np.nan] * DIM], np.float32), np.array([True, False])),
        "emb_profile": from_numpy(np.ones((2, 16), np.float32)),
        "share_note": pa.array([0.25, 0], pa.float32()),
        "share_profile": pa.array([0.75, 1], pa.float32()),
        FUSED: from_numpy(np.arange(2 * FUSED_DIM, dtype=np.float32).reshape(2, FUSED_DIM)),
        ISSUES: pa.array([[], ["note.empty"]], ISSUES_TYPE),
    }
    return pa.record_batch({**found, **columns})


def test_the_columns_are_those_of_the_contract_in_its_order() -> None:
    """Key, times, masks, embeddings, shares, fused, scores, issues, what is kept, fingerprint."""
    score = pa.field("score_churn", pa.float32(), nullable=False)
    recipe = make_recipe(INPUT, keep=("city", "age"), score_fields=(score,), event_timestamp="time")

    schema = Project(recipe).output_schema(INPUT)

    assert schema.names == [
        *("id", "event_timestamp", "created_timestamp", "has_note", "has_profile", "emb_note", "emb_profile"),
        *("share_note", "share_profile", "fused", "score_churn", "issues", "city", "age", "fingerprint"),
    ]
    assert [f.name for f in schema if f.nullable] == ["city", "age"]  # passed through as they are in the input


def test_a_row_is_published_with_exactly_these_values() -> None:
    """One present and one masked note, one event time and one without."""
    recipe = make_recipe(INPUT, keep=("city",), event_timestamp="time")
    project = Project(recipe)

    rows = project(scored())

    assert rows.schema.equals(project.output_schema(INPUT), check_metadata=True)
    first, second = rows.to_pylist()
    assert (first["id"], first["city"], first["fingerprint"]) == ("a", "Bonn", "f" * 64)
    assert (first["event_timestamp"], second["event_timestamp"]) == (NOON, START)
    assert (first["created_timestamp"], second["created_timestamp"]) == (END, END)
    assert (first["has_note"], second["has_note"]) == (True, False)
    assert (first["emb_note"], second["emb_note"]) == ([1, 2, 3, 4], [0] * DIM)  # zeros, not the NaN of a masked slot
    assert (first["share_note"], second["share_note"]) == (0.25, 0)
    assert second["fused"] == list(range(FUSED_DIM, 2 * FUSED_DIM))
    assert (first["issues"], second["issues"]) == ([], ["note.empty"])


def test_without_an_event_column_every_row_has_the_interval_start() -> None:
    """`created_timestamp` is the interval's end: neither comes from a clock."""
    rows = Project(make_recipe(INPUT))(scored())

    assert rows.column("event_timestamp").to_pylist() == [START] * 2
    assert rows.column("created_timestamp").to_pylist() == [END] * 2


def test_lists_are_plain_and_carry_their_length() -> None:
    """`list<element: float not null>` with the length in the field's metadata, as feature stores take them."""
    schema = Project(make_recipe(INPUT)).output_schema(INPUT)

    for name, dim in (("emb_note", DIM), ("emb_profile", 16), (FUSED, FUSED_DIM)):
        assert schema.field(name).type == pa.list_(pa.field("element", pa.float32(), nullable=False))
        assert schema.field(name).metadata == {DIM_METADATA: str(dim).encode()}


def test_slices_and_no_rows_are_projected_too() -> None:
    """Offsets are respected, and an empty batch has the promised schema."""
    project = Project(make_recipe(INPUT, keep=("city",)))

    assert project(scored().slice(1)).equals(project(scored()).slice(1))
    assert project(scored().slice(0, 0)).schema.equals(project.output_schema(INPUT), check_metadata=True)


def test_an_input_column_called_event_timestamp_is_read_before_it_is_replaced() -> None:
    """Feature stores' own name for it is a good name for an input column."""
    project = Project(make_recipe(INPUT, event_timestamp="event_timestamp"))

    rows = project(scored(event_timestamp=pa.array([NOON, None], TIMESTAMP)))

    assert rows.column("event_timestamp").to_pylist() == [NOON, START]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (pa.array([datetime(2026, 11, 23, 12)], pa.timestamp("s")), datetime(2026, 11, 23, 12)),
        (pa.array([datetime(2026, 11, 23, 12)], pa.timestamp("ms")), datetime(2026, 11, 23, 12)),
        (pa.array([datetime(2026, 11, 23, 12, 0, 0, 5)], pa.timestamp("us")), datetime(2026, 11, 23, 12, 0, 0, 5)),
        (pa.array([1_500], pa.timestamp("ns")), datetime(1970, 1, 1, 0, 0, 0, 1)),  # 1.5 microseconds, cut
        (pa.array([0], pa.timestamp("s", "Europe/Berlin")), datetime(1970, 1, 1)),  # ticks are UTC, the zone is display
        (pa.array([1_500], pa.timestamp("ns", "America/New_York")), datetime(1970, 1, 1, 0, 0, 0, 1)),
        (pa.array([date(2026, 11, 23)], pa.date32()), datetime(2026, 11, 23)),
        (pa.array([date(1969, 12, 31)], pa.date64()), datetime(1969, 12, 31)),
    ],
    ids=["s", "ms", "us", "ns", "s zone", "ns zone", "date32", "date64"],
)
def test_times_of_every_sort_become_utc_microseconds(times: pa.Array, expected: datetime) -> None:
    """Zones are converted, times without one are UTC, dates are their midnight; null stays null."""
    padded = pa.concat_arrays([times, pa.nulls(1, times.type)])

    result = utc_microseconds(padded)

    assert result.type == TIMESTAMP
    assert result.to_pylist() == [expected.replace(tzinfo=UTC), None]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([2**62, 1], pa.timestamp("s")),
        pa.array([-(2**62), 1], pa.timestamp("ms", "UTC")),
        pa.array([2**31 - 1, 0], pa.date32()),
    ],
    ids=["s", "ms", "date32"],
)
def test_a_time_beyond_the_range_is_null(times: pa.Array) -> None:
    """Such a value neither fails its neighbours nor wraps around to another time."""
    assert utc_microseconds(times).is_valid().to_pylist() == [False, True]


@given(st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), max_size=5))
def test_a_published_list_holds_the_matrix(rows: list[list[float]]) -> None:
    """Every number as it was, every row as long as the matrix is wide."""
    matrix = np.array(rows, np.float32).reshape(-1, 3)

    column = published_list(matrix)

    np.testing.assert_array_equal(np.array(column.to_pylist(), np.float32).reshape(-1, 3), matrix)
    assert column.null_count == 0
