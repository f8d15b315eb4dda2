"""Property-based fuzzing: mutated real files and arbitrary arrays cost themselves alone, under known codes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.spec import discover
from tests.contracts.test_cleaners import batches
from tests.fuzz.files import pictures, sounds, texts
from tests.fuzz.mutations import mutated
from tests.fuzz.promises import check, fuzzed

FILES = {"image": pictures, "audio": sounds, "text": texts}
"""Modality type -> real values of it, as bytes."""


@pytest.mark.parametrize("kind", FILES)
def test_every_real_file_is_cleaned(kind: str) -> None:
    """What fuzzing starts from is good (texts and pictures of all kinds; sounds of some have limits of their own)."""
    cleaned = check(kind, pa.array(FILES[kind](), pa.binary()))

    refused = [code for codes in cleaned.issues.to_pylist() for code in codes]
    assert refused == ["not_utf8"] * (kind == "text")


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=150)
@given(data=st.data())
def test_mutated_files(kind: str, data: st.DataObject) -> None:
    """No exception, no value over a second, nothing but documented codes."""
    check(kind, pa.array(data.draw(st.lists(mutated(FILES[kind]()), min_size=1, max_size=3)), pa.binary()))


@pytest.mark.parametrize("kind", sorted(discover("modality")))
@settings(max_examples=50)
@given(data=st.data())
def test_arbitrary_arrays(kind: str, data: st.DataObject) -> None:
    """The same for arrays of every accepted type."""
    spec, _ = fuzzed(kind)
    check(kind, spec.gather(data.draw(batches(spec))))


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=25)
@given(data=st.data())
def test_a_damaged_neighbour_changes_no_bit(kind: str, data: st.DataObject) -> None:
    """Good values around a damaged one come out as they do without it."""
    good = data.draw(st.lists(st.sampled_from(FILES[kind]()), min_size=2, max_size=2))

    cleaned = check(kind, pa.array([good[0], data.draw(mutated(FILES[kind]())), good[1]], pa.binary()))

    assert cleaned.values.take([0, 2]).equals(check(kind, pa.array(good, pa.binary())).values)
