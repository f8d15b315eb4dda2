"""Tests of cleaning a batch: every modality gets its column, issues carry its name, rows stay as they are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from models.errors import ConfigError
from models.schema import ISSUES, ISSUES_TYPE
from tests.transforms.tiny_recipes import MODALITIES
from transforms.clean import Clean, named_issues
from transforms.modalities.tabular import TabularSpec
from transforms.modalities.text import TextSpec


def batch() -> pa.RecordBatch:
    """Four rows: good, without a note, with a note of blanks and an age that is not finite, all absent."""
    return pa.record_batch(
        {
            "id": ["a", "b", "c", "d"],
            "note": ["fine", None, "  ", None],
            "age": pa.array([50.0, 30.0, float("inf"), None]),
            "segment": ["gold", "bronze", "silver", None],
        }
    )


def test_cleaned_columns_are_added_behind_the_input() -> None:
    """The input's columns stay untouched; masked and absent values are null."""
    cleaned = Clean(MODALITIES)(batch())

    assert cleaned.schema.names == ["id", "note", "age", "segment", "clean_note", "clean_profile", ISSUES]
    assert cleaned.select(batch().schema.names).equals(batch())
    assert cleaned.column("clean_note").to_pylist() == ["fine", None, None, None]
    # z = (x - mean 40) / standard deviation 10; `bronze` is not in the fitted vocabulary.
    assert cleaned.column("clean_profile").to_pylist() == [
        {"age": 1.0, "segment": "gold"},
        {"age": -1.0, "segment": "<unknown>"},
        {"age": None, "segment": "silver"},
        None,
    ]


def test_issues_of_all_modalities_are_in_one_list_by_name() -> None:
    """A row's codes stand in the order of the modalities; an absent value is no issue."""
    issues = Clean(MODALITIES)(batch()).column(ISSUES)

    assert issues.to_pylist() == [[], [], ["note.empty", "profile.non_finite"], []]
    assert issues.type == ISSUES_TYPE


def test_the_promised_schema_is_kept() -> None:
    """Also for slices and for no rows at all."""
    clean = Clean(MODALITIES)
    promised = clean.output_schema(batch().schema)

    for rows in (batch(), batch().slice(1, 2), batch().slice(0, 0)):
        assert clean(rows).schema.equals(promised)


def test_a_slice_gives_the_rows_of_the_whole() -> None:
    """Offsets of sliced arrays are respected."""
    clean = Clean(MODALITIES)

    assert clean(batch().slice(2, 2)).equals(clean(batch()).slice(2, 2))


def test_one_modality_is_enough() -> None:
    """A job of a single modality has its issues alone."""
    cleaned = Clean({"note": TextSpec(column="note")})(batch())

    assert cleaned.column(ISSUES).to_pylist() == [[], [], ["note.empty"], []]


def test_two_modalities_may_read_one_column() -> None:
    """Each under its own name."""
    cleaned = Clean({"short": TextSpec(column="note", max_chars=2), "whole": TextSpec(column="note")})(batch())

    assert cleaned.column("clean_short").to_pylist() == ["fi", None, None, None]
    assert cleaned.column("clean_whole").to_pylist() == ["fine", None, None, None]
    assert cleaned.column(ISSUES).to_pylist()[0] == ["short.too_long"]


def test_what_must_be_fitted_is_asked_for_when_built() -> None:
    """Not at the first row."""
    with pytest.raises(ConfigError, match="amalgam fit"):
        Clean({"profile": TabularSpec(numeric=("age",))})


def test_codes_are_named_row_by_row() -> None:
    """`<modality>.<code>`, also from a slice."""
    codes = pa.array([["x"], ["a", "b"], [], ["c"]], ISSUES_TYPE)

    assert named_issues("photo", codes.slice(1)).to_pylist() == [["photo.a", "photo.b"], [], ["photo.c"]]
