"""Texts: encodings, repairs, invisible characters, limits and the types that a column may have."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import texts
from transforms.modalities.text import TextSpec


def clean(*values: str | bytes | None, **settings: Any) -> tuple[list[str | None], list[list[str]]]:
    """Cleaned values and issues."""
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    cleaner = TextSpec.model_validate({"column": "review", **settings}).build()
    cleaned = cleaner(pa.array(raw, pa.binary()))
    return cleaned.values.to_pylist(), cleaned.issues.to_pylist()


CLEANED = {
    "nothing to do": ("Plain text, 100 %.", "Plain text, 100 %."),
    "white space": ("\n two\t\twords \r\n\u00a0here\u2028", "two words here"),
    "mojibake": ("schÃ¶n â€“ dÃ©jÃ\xa0 vu", "schön – déjà vu"),
    "decomposed": ("cafe\u0301", "café"),
    "controls": ("a\x00b\x07c\x7f", "abc"),
    "terminal escapes": ("\x1b[36mblue\x1b[0m", "blue"),
    "hidden": ("in\u200bvis\u00adi\u2060ble\ufeff", "invisible"),
    "bidirectional override": ("user\u202egnp.exe\u202c", "usergnp.exe"),
    "tags": ("hi\U000e0069\U000e0067", "hi"),
    "joiner between ASCII": ("sp\u200dam", "spam"),
    "joiner in an emoji": ("👩\u200d👧", "👩\u200d👧"),
    "non-joiner in Persian": ("می\u200cخواهم", "می\u200cخواهم"),
    "HTML stays": ("&lt;b&gt; &amp;", "&lt;b&gt; &amp;"),
    "quotes, ligatures and width stay": ("“ﬁ” １", "“ﬁ” １"),
}


@pytest.mark.parametrize("name", CLEANED)
def test_cleaned(name: str) -> None:
    """What is repaired, what is removed, and what is content."""
    raw, expected = CLEANED[name]

    assert clean(raw) == ([expected], [[]])


def test_nfkc_unifies_compatibility_characters() -> None:
    """NFKC replaces ligatures and full-width characters."""
    assert clean("ﬁ １²", normalize="NFKC")[0] == ["fi 12"]


def test_not_utf8_costs_its_row_alone() -> None:
    """Bytes that are not UTF-8 are masked; neighbours, also in other scripts, are kept."""
    values, issues = clean("schön", b"\xff\xfe", None, "ok", b"\xed\xa0\x80", b"caf\xe9")

    assert values == ["schön", None, None, "ok", None, None]
    assert issues == [[], ["not_utf8"], [], [], ["not_utf8"], ["not_utf8"]]


def test_string_columns_are_checked_too() -> None:
    """A string array from a careless writer may hold anything."""
    raw = pa.array([b"ok", b"\xff", b"fine"], pa.binary())
    strings = pa.Array.from_buffers(pa.string(), 3, raw.buffers())

    values, issues = TextSpec(column="review").build()(strings[1:])

    assert values.to_pylist() == [None, "fine"]
    assert issues.to_pylist() == [["not_utf8"], []]


def test_nothing_left_is_empty() -> None:
    """Nothing, white space, and invisible characters alone are `empty`."""
    assert clean("", " \n", "\u200b\x00") == ([None] * 3, [["empty"]] * 3)


def test_cut_at_a_character() -> None:
    """A text over the limit keeps its first `max_chars` characters, whole, and says so; at the limit it passes."""
    values, issues = clean("x" * 10, "x" * 11, "é" * 1000, "😀" * 2000, max_chars=10)

    assert values == ["x" * 10, "x" * 10, "é" * 10, "😀" * 10]
    assert issues == [[], ["too_long"], ["too_long"], ["too_long"]]


def test_the_limit_is_that_of_the_cleaned_text() -> None:
    """White space that goes away does not count."""
    assert clean("a" + " " * 50 + "b", max_chars=3) == (["a b"], [[]])


def test_masked_instead_of_cut() -> None:
    """With `too_long: mask` the modality is masked."""
    assert clean("x" * 11, "x", max_chars=10, too_long="mask") == ([None, "x"], [["too_long"], []])


@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary(), pa.string(), pa.string_view()])
def test_a_huge_text_costs_little_more_than_its_limit(type_: pa.DataType) -> None:
    """Of 100 MB only the beginning is looked at; the arrays made on the way stay far below the input."""
    huge = pa.array([b"\xc3\xa9" * 50_000_000], pa.binary()).cast(type_)
    cleaner = TextSpec(column="review").build()
    before, started = pa.total_allocated_bytes(), time.process_time()

    values, issues = cleaner(huge)

    assert time.process_time() - started < 1
    assert pa.total_allocated_bytes() - before < 1_000_000
    assert (values.to_pylist(), issues.to_pylist()) == (["é" * 20_000], [["too_long"]])


def test_redaction() -> None:
    """What is named in `redact` is replaced; nothing is by default."""
    text = "Call me at +49 30 1234567 or joe@example.com!"

    assert clean(text)[0] == [text]
    assert clean(text, redact=["email", "phone"])[0] == ["Call me at <phone> or <email>!"]


@pytest.mark.parametrize("place", range(0, 40, 3))
def test_a_cut_leaves_no_half_of_an_address(place: int) -> None:
    """An address that the reading limit severs (2 + 320 characters) does not come out in part."""
    text = " " * (322 * 4 - place) + "jane.roe@mail.example.com" + " x" * 900

    values, _ = clean(text, max_chars=2, redact=["email"])

    assert values[0] is None or "j" not in values[0]


def test_redaction_sees_through_disguise() -> None:
    """Invisible characters and, with NFKC, full-width letters hide no address."""
    assert clean("jo\u200be@exam\u00adple.com", redact=["email"])[0] == ["<email>"]
    assert clean("joe＠example.com", redact=["email"], normalize="NFKC")[0] == ["<email>"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | texts(), max_size=3), st.integers(1, 30), st.sampled_from(["NFC", "NFKC"]))
def test_idempotent_under_all_settings(values: list[str | None], max_chars: int, form: str) -> None:
    """Cleaning twice is cleaning once, also when cut short, redacted and in NFKC."""
    options = {"max_chars": max_chars, "normalize": form, "redact": ["email", "phone", "iban", "card", "ip"]}
    once, _ = clean(*values, **options)

    assert clean(*once, **options) == (once, [[]] * len(values))


@pytest.mark.parametrize(
    "type_",
    [
        *(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()),
        *(pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.binary())),
    ],
)
def test_every_text_type_gives_the_same(type_: pa.DataType) -> None:
    """However Arrow stores the texts, and sliced or not, the cleaned strings are the same."""
    values = pa.array([b"first", b" caf\xc3\xa9 ", None, b" caf\xc3\xa9 ", b""], pa.binary())
    spec = TextSpec(column="review")
    stored = values.dictionary_encode().cast(type_) if pa.types.is_dictionary(type_) else values.cast(type_)

    cleaned = spec.build()(stored[1:])

    assert spec.check_types(pa.schema({"review": type_})) == []
    assert cleaned.values.equals(pa.array(["café", None, "café", None], pa.string()))
    assert cleaned.issues.to_pylist() == [[], [], [], ["empty"]]


def test_wrong_types_are_told() -> None:
    """Other types and a missing column are one sentence each."""
    spec = TextSpec(column="review")

    assert spec.check_types(pa.schema({"review": pa.int64()})) == [
        "column 'review' must be string or binary; got int64"
    ]
    assert spec.check_types(pa.schema({"text": pa.string()})) == [
        "column 'review' must be string or binary; got no such column in ['text']"
    ]
