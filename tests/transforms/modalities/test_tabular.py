"""The tabular cleaner: casts, absent values, z-scores, one slot for what the vocabulary does not hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.accumulators import ACCUMULATORS
from models.errors import ConfigError
from models.schema import UNKNOWN
from models.statistics import CategoryStatistics, FieldStatistics, NumberStatistics
from transforms.modalities.base import Cleaned
from transforms.modalities.tabular import TabularSpec

FITTED: dict[str, FieldStatistics] = {
    "age": NumberStatistics(count=9, mean=40.0, variance=100.0, quantiles={"0.001": 20.0, "0.999": 70.0}),
    "segment": CategoryStatistics(count=9, vocabulary=("gold", "silver", "7", "true")),
}
SPEC = TabularSpec(numeric=("age",), categorical=("segment",), statistics=FITTED)
NAN, INF = math.nan, math.inf


def clean(age: pa.Array, segment: pa.Array, spec: TabularSpec = SPEC) -> Cleaned:
    """The two columns cleaned as the nightly run does it."""
    return spec.build()(spec.gather(pa.record_batch({"age": age, "segment": segment})))


def row(age: float | None, segment: str | None) -> dict[str, Any] | None:
    """A cleaned row as Python sees it."""
    return {"age": age, "segment": segment}


def test_numbers_become_z_scores_and_categories_slots() -> None:
    """(50 - 40) / 10 = 1; 200 is clipped to 70, which is 3; an unknown category is no issue."""
    found = clean(pa.array([50, 200, 40]), pa.array([" gold ", "tin", "silver"]))
    assert found.values.type == SPEC.cleaned_type()
    assert found.values.to_pylist() == [row(1.0, "gold"), row(3.0, UNKNOWN), row(0.0, "silver")]
    assert found.issues.to_pylist() == [[], [], []]


def test_absent_values_are_null_fields_and_absent_rows_null() -> None:
    """One field is enough for a row; a row of nulls, blanks or nothing at all is absent without an issue."""
    found = clean(pa.array(["50", None, " ", None]), pa.array([None, "gold", "", None]))
    assert found.values.to_pylist() == [row(1.0, None), row(None, "gold"), None, None]
    assert found.issues.to_pylist() == [[], [], [], []]


def test_unusable_values_are_absent_with_an_issue() -> None:
    """NaN, infinities and words among the numbers; the row is null where nothing else was there."""
    ages, segments = pa.array(["nan", "inf", "old", "50"]), pa.array([None, "gold", None, "gold"])
    found = clean(ages, segments)
    assert found.values.to_pylist() == [None, row(None, "gold"), None, row(1.0, "gold")]
    assert found.issues.to_pylist() == [["non_finite"], ["non_finite"], ["bad_type"], []]


def test_floats_that_are_not_finite() -> None:
    """The same for a column of floats."""
    found = clean(pa.array([NAN, INF, -INF, 40.0]), pa.array(["gold"] * 4))
    assert found.issues.to_pylist() == [["non_finite"]] * 3 + [[]]
    assert found.values.field("age").to_pylist() == [None, None, None, 0.0]


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (pa.array([7, 8, None]), ["7", UNKNOWN, None]),
        (pa.array([True, False, None]), ["true", UNKNOWN, None]),
        (pa.array(["gold", "tin", None], pa.large_string()), ["gold", UNKNOWN, None]),
        (pa.array(["gold", "tin", None], pa.string_view()), ["gold", UNKNOWN, None]),
        (pa.array(["gold", "tin", None]).dictionary_encode(), ["gold", UNKNOWN, None]),
        (pa.nulls(3), [None, None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_every_category_type_is_read(segment: pa.Array, expected: list[str | None]) -> None:
    """Strings of any layout, integers, booleans, dictionaries, and a column of nothing."""
    found = clean(pa.array([40, 40, 40]), segment)
    assert found.values.field("segment").to_pylist() == expected


def test_categories_that_are_not_utf8_are_of_a_bad_type() -> None:
    """Parquet does not check its strings: only the row that holds them loses its value."""
    raw = pa.array([b"gold", b"\xff\xfe", None, b"tin"], pa.binary())
    segment = pa.Array.from_buffers(pa.string(), 4, raw.buffers())
    found = clean(pa.array([40, 40, 40, 40]), segment)
    assert found.values.field("segment").to_pylist() == ["gold", None, None, UNKNOWN]
    assert found.issues.to_pylist() == [[], ["bad_type"], [], []]


def test_vocabulary_size_keeps_the_most_frequent() -> None:
    """With room for one, only the first category is told apart; no new fit is needed."""
    spec = SPEC.model_copy(update={"vocabulary_size": 1})
    found = clean(pa.array([40, 40]), pa.array(["gold", "silver"]), spec)
    assert found.values.field("segment").to_pylist() == ["gold", UNKNOWN]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats() | st.just(40.0),
            st.none() | st.sampled_from(["gold", "", " ", "tin", "\u2003x", "\0"]),
        ),
        max_size=12,
    ),
    st.integers(0, 12),
)
def test_slices_are_cleaned_as_if_they_stood_alone(rows: list[tuple[float | None, str | None]], cut: int) -> None:
    """Any values never raise, keep their number, and do not depend on their neighbours."""
    age, segment = pa.array([r[0] for r in rows], pa.float64()), pa.array([r[1] for r in rows], pa.string())
    whole = clean(age, segment)
    values = SPEC.gather(pa.record_batch({"age": age, "segment": segment}))
    part = SPEC.build()(values.slice(cut))
    assert len(whole.values) == len(whole.issues) == len(rows)
    assert part.values.equals(whole.values.slice(cut))
    assert part.issues.equals(whole.issues.slice(cut))


def test_cleaning_again_with_the_standard_statistics_changes_nothing() -> None:
    """z-scores of z-scores are the same where mean is 0, variance 1, and the quantiles do not cut."""
    standard = NumberStatistics(count=9, mean=0.0, variance=1.0, quantiles={"0.001": -9.0, "0.999": 9.0})
    spec = SPEC.model_copy(update={"statistics": FITTED | {"age": standard}})
    once = clean(pa.array([1.5, None, NAN]), pa.array([" gold", "tin", None]), spec)
    twice = spec.build()(once.values)
    assert twice.values.equals(once.values)
    assert twice.issues.to_pylist() == [[], [], []]


def test_fit_then_clean_gives_mean_zero_and_variance_one() -> None:
    """What `observe` hands to the accumulators is what the cleaner normalizes (without clipping, exactly)."""
    spec = TabularSpec(numeric=("age",), categorical=("segment",), clip=None)
    rng = np.random.default_rng(0)
    age, segment = pa.array(rng.normal(40, 10, 500)), pa.array(rng.choice([" gold", "tin "], 500))
    observed = spec.observe(spec.gather(pa.record_batch({"age": age, "segment": segment})))
    statistics = {}
    for name, kind in spec.fields().items():
        accumulator = ACCUMULATORS[kind]()
        accumulator.update(observed[name])
        statistics[name] = accumulator.finish()

    found = clean(age, segment, spec.model_copy(update={"statistics": statistics}))

    z = found.values.field("age").to_numpy()
    assert (z.mean(), z.var()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    assert set(found.values.field("segment").to_pylist()) == {"gold", "tin"}


def test_observing_leaves_out_what_cleaning_leaves_out() -> None:
    """No nulls, NaN, infinities, words or blanks."""
    batch = pa.record_batch({"age": pa.array(["1", "nan", "x", None]), "segment": pa.array(["a", " ", None, "b"])})
    observed = SPEC.observe(SPEC.gather(batch))
    assert observed["age"].to_pylist() == [1.0]
    assert observed["segment"].to_pylist() == ["a", "b"]


def test_building_needs_statistics() -> None:
    """The error names the fields that lack them, and the command."""
    with pytest.raises(ConfigError, match=r"age \(number\), segment \(category\).*amalgam fit JOB"):
        TabularSpec(numeric=("age",), categorical=("segment",)).build()


@pytest.mark.parametrize(
    "settings",
    [{}, {"numeric": ["a"], "categorical": ["a"]}, {"numeric": ["a", "a"]}, {"numeric": [""]}],
)
def test_columns_must_be_there_and_different(settings: dict[str, list[str]]) -> None:
    """At least one column, none twice, none without a name."""
    with pytest.raises(ValidationError):
        TabularSpec.model_validate(settings)


def test_wrong_column_types_are_named() -> None:
    """One sentence per column: what it must be, and what it is."""
    problems = SPEC.check_types(pa.schema({"age": pa.timestamp("us"), "other": pa.int64()}))
    assert problems == [
        "column 'age' must be a number, boolean or string; got timestamp[us]",
        "column 'segment' must be a string, integer or boolean; got no such column",
    ]
