"""What every modality's cleaner promises, over every kind that is there, on whatever values it says it takes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.schema import ISSUES_TYPE
from models.spec import Spec, discover
from models.statistics import QUANTILES, CategoryStatistics, FieldStatistics, NumberStatistics
from tests.strategies import ARROW_TYPES, arrays, as_slice, texts
from transforms.modalities.base import Cleaned, ModalitySpec

SETTINGS: dict[str, dict[str, Any]] = {
    "tabular": {"numeric": ["age", "spend"], "categorical": ["segment"]},
    "image": {"column": "value", "size": 8},
}
"""Kind -> settings of its example; a kind that is not named here is tested as `{column: value}`."""

KINDS = sorted(discover("modality"))
property_test = settings(max_examples=25, deadline=None)


def example(kind: str) -> ModalitySpec:
    """A spec of this kind with whatever statistics it asks for."""
    chosen = SETTINGS.get(kind, {"column": "value"})
    try:
        spec: Spec[Any] = discover("modality")[kind].model_validate(chosen)
    except ValueError as error:
        pytest.fail(f"modality {kind!r} cannot be made from {chosen}: add its settings to SETTINGS here ({error})")
    assert isinstance(spec, ModalitySpec)
    return spec.model_copy(update={"statistics": {name: statistics(of) for name, of in spec.fields().items()}})


def statistics(of: str) -> FieldStatistics:
    """Statistics under which a number is its own z-score up to 1000."""
    if of == "category":
        return CategoryStatistics(count=2, vocabulary=("a", "b"))
    return NumberStatistics(count=2, mean=0, variance=1, quantiles={q: 2000 * float(q) - 1000 for q in QUANTILES})


def accepted_types(spec: ModalitySpec, column: str) -> list[pa.DataType]:
    """The types of ARROW_TYPES that `spec` takes in this column."""
    return [
        type_
        for type_ in ARROW_TYPES
        if not any(repr(column) in sentence for sentence in spec.check_types(pa.schema({column: type_})))
    ]


@st.composite
def batches(draw: st.DrawFn, spec: ModalitySpec) -> pa.RecordBatch:
    """Batches of the spec's input columns, each of some accepted type."""
    rows = draw(st.integers(0, 6))
    columns = {}
    for name in spec.input_columns():
        type_ = draw(st.sampled_from(accepted_types(spec, name)))
        some = draw(arrays(type_, max_size=rows))
        columns[name] = as_slice(pa.concat_arrays([some, pa.nulls(rows - len(some), type_)]))
    return pa.RecordBatch.from_pydict(columns)


def is_blank_record(value: object) -> bool:
    """Whether a struct holds nothing but nulls and blank strings, as a row of empty cells does: absent too."""
    return isinstance(value, dict) and all(v is None or (isinstance(v, str) and not v.strip()) for v in value.values())


def single_rows(spec: ModalitySpec, values: pa.Array) -> list[Cleaned]:
    """Each value cleaned by itself."""
    cleaner = spec.build()
    return [cleaner(values.slice(row, 1)) for row in range(len(values))]


def test_the_suite_sees_the_kinds() -> None:
    """The types that the project ships are among the kinds under test."""
    assert {"image", "text"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_input_column_has_accepted_types(kind: str) -> None:
    """Every input column takes at least one type, so that the properties below have something to run on."""
    spec = example(kind)

    assert all(accepted_types(spec, column) for column in spec.input_columns())


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_type_is_one_sentence_that_names_column_and_type(kind: str) -> None:
    """A type that cannot be read is told in one sentence with the column, what is allowed, and the type found."""
    spec = example(kind)
    column = spec.input_columns()[0]
    wrong = pa.map_(pa.string(), pa.bool_())

    [sentence] = [s for s in spec.check_types(pa.schema({column: wrong})) if repr(column) in s]

    assert "must be" in sentence
    assert str(wrong) in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_column_is_told(kind: str) -> None:
    """A schema without the columns gives one sentence for each."""
    spec = example(kind)

    assert len(spec.check_types(pa.schema({"other": pa.int8()}))) == len(spec.input_columns())


@pytest.mark.parametrize("kind", KINDS)
@property_test
@given(data=st.data())
def test_any_value_keeps_length_and_types(kind: str, data: st.DataObject) -> None:
    """Whatever the values: nothing raised, as many rows out, values and issues of the promised types."""
    spec = example(kind)
    values = spec.gather(data.draw(batches(spec)))

    cleaned = spec.build()(values)

    cleaned.values.validate(full=True)
    cleaned.issues.validate(full=True)
    assert (len(cleaned.values), len(cleaned.issues)) == (len(values), len(values))
    assert (cleaned.values.type, cleaned.issues.type) == (spec.cleaned_type(), ISSUES_TYPE)
    assert cleaned.issues.null_count == 0


@pytest.mark.parametrize("kind", KINDS)
@property_test
@given(data=st.data())
def test_absent_is_no_issue_and_unusable_is_one(kind: str, data: st.DataObject) -> None:
    """A null comes out as null without an issue; a value that comes out as null carries at least one."""
    spec = example(kind)
    values = spec.gather(data.draw(batches(spec)))

    cleaned = spec.build()(values)

    for row in range(len(values)):
        issues = cleaned.issues[row].as_py()
        if not values[row].is_valid:
            assert not cleaned.values[row].is_valid
            assert issues == []
        elif not cleaned.values[row].is_valid:
            assert issues or is_blank_record(values[row].as_py())


@pytest.mark.parametrize("kind", KINDS)
@property_test
@given(data=st.data())
def test_a_row_depends_on_itself_alone(kind: str, data: st.DataObject) -> None:
    """Each row of a batch is cleaned bit by bit as it would be alone, whatever its neighbours are."""
    spec = example(kind)
    values = spec.gather(data.draw(batches(spec)))

    together = spec.build()(values)

    for row, alone in enumerate(single_rows(spec, values)):
        assert together.values.slice(row, 1).equals(alone.values)
        assert together.issues.slice(row, 1).equals(alone.issues)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 3])
def test_all_absent(kind: str, rows: int) -> None:
    """Empty and all-null arrays of every accepted type give as many nulls."""
    spec = example(kind)
    cleaner = spec.build()
    columns = {name: accepted_types(spec, name) for name in spec.input_columns()}
    for type_ in ARROW_TYPES:
        batch = pa.RecordBatch.from_pydict(
            {name: pa.nulls(rows, type_ if type_ in types else types[0]) for name, types in columns.items()}
        )

        cleaned = cleaner(spec.gather(batch))

        assert cleaned.values.equals(pa.nulls(rows, spec.cleaned_type()))
        assert cleaned.issues.to_pylist() == [[]] * rows


@pytest.mark.parametrize("kind", [kind for kind in KINDS if pa.types.is_string(example(kind).cleaned_type())])
@settings(property_test, max_examples=100)
@given(data=st.data())
def test_cleaning_clean_text_changes_nothing(kind: str, data: st.DataObject) -> None:
    """Where cleaned values are text, cleaning them again gives the same values and no issue."""
    spec = example(kind)
    once = spec.build()(pa.array(data.draw(st.lists(st.none() | texts(), max_size=4)), pa.string()))

    twice = spec.build()(once.values)

    assert twice.values.equals(once.values)
    assert twice.issues.to_pylist() == [[]] * len(once.values)
