"""F35: huge values: 100 MB of text, a million tokens, ten million events, and texts made to take long."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.statistics import CategoryStatistics, NumberStatistics
from tests.faults.costs import costs
from transforms.modalities.audio import AudioSpec
from transforms.modalities.base import ModalitySpec
from transforms.modalities.image import ImageSpec
from transforms.modalities.series import SeriesSpec
from transforms.modalities.tabular import TabularSpec
from transforms.modalities.text import TextSpec

MEGABYTE = 2**20
HUGE = 100 * MEGABYTE
NUMBER = NumberStatistics(count=9, mean=40.0, variance=100.0, quantiles={"0.001": 20.0, "0.999": 70.0})
CATEGORY = CategoryStatistics(count=9, vocabulary=("gold",))

# Beginnings that are repeated up to the limit. Each is the worst case of something: decoding twice, sorting marks,
# looking for addresses, undoing escapes.
TEXTS = {
    "plain words": b"word ",
    "one word": b"x",
    "control characters": b"\0\x07\x7f",
    "white space": b" \t\n",
    "lone surrogates": b"\xed\xa0\x80",
    "not UTF-8": b"\xff\xfe",
    "UTF-8, then Latin-1": "schön ".encode() * 99 + "schön ".encode("latin-1"),
    "mojibake of mojibake": "é".encode().decode("cp1252").encode().decode("cp1252").encode(),
    "marks of one kind": "\u0301".encode(),
    "marks to be sorted": "\u0301\u0316".encode(),
    "marks to be sorted, of half-width kana": "\uff9e\u0301\u0316".encode(),
    "marks in mojibake": "\u0301\u0316".encode().decode("latin-1").encode(),
    "escapes": b"\x1b[1;",
    "half an address": b"a@",
    "half a phone number": b"+49 (",
    "half an IBAN": b"DE89 3704 0044 ",
    "half an IP address": b"1.1.1.",
    "joiners": "👩\u200d".encode(),
}
SECONDS = 1
LIMIT = 100_000  # characters, five times the default: what grows with the square takes 25 times as long


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@pytest.mark.parametrize("name", TEXTS)
def test_no_text_takes_long(name: str, form: str) -> None:
    """Cut by rule and flagged, in time that grows with the limit, not its square; also when redacted."""
    options: dict[str, Any] = {
        "max_chars": LIMIT,
        "normalize": form,
        "redact": ("email", "phone", "iban", "card", "ip"),
    }
    cleaner = TextSpec(column="note", **options).build()
    text = TEXTS[name] * (5 * MEGABYTE // len(TEXTS[name]))

    started = time.process_time()
    values, issues = cleaner(pa.array([text], pa.binary()))
    seconds = time.process_time() - started

    assert issues.to_pylist()[0] in (["too_long"], ["not_utf8"], ["empty"])
    assert len(values[0].as_py() or "") <= LIMIT
    assert seconds < SECONDS


def test_marks_beyond_thirty_are_cut() -> None:
    """A letter keeps the 30 marks that Unicode's Stream-Safe Text Format allows (UAX #15)."""
    cleaner = TextSpec(column="note").build()

    values, issues = cleaner(pa.array(["x" + "\u0316" * 50 + "e\u0301 and more"]))

    assert values.to_pylist() == ["x" + "\u0316" * 30 + "é and more"]
    assert issues.to_pylist() == [[]]


def test_a_huge_text_grows_memory_by_its_limit(tmp_path: Path) -> None:
    """Of 100 MB, only 4 bytes for each of 500,000 characters are looked at; a million tokens are a text like any other.

    They are held at most eight times: as Arrow's array and Python's string, in words, and the results of each step.
    """
    limit = 500_000
    million_tokens = b"word" + b" word" * 999_999
    huge = ["é".encode() * (HUGE // 2), "好".encode() * (HUGE // 3), b"\xff" * HUGE, b"x" * HUGE, million_tokens]

    measured = costs(TextSpec(column="note", max_chars=limit), pa.array(["é".encode(), *huge]), tmp_path)

    assert [cost.issues for cost in measured] == [["too_long"], ["too_long"], ["not_utf8"], ["too_long"], ["too_long"]]
    assert max(cost.megabytes for cost in measured) * MEGABYTE < 8 * 4 * limit


@pytest.mark.parametrize("spec", [ImageSpec(column="x"), AudioSpec(column="x")], ids=lambda spec: spec.kind)
def test_a_huge_file_is_not_looked_at(spec: ModalitySpec, tmp_path: Path) -> None:
    """100 MB that begin like a picture, or a sound, are over `max_bytes`: no byte of them is copied."""
    files = [b"\xff\xd8\xff" + bytes(HUGE), b"RIFF\0\0\0\0WAVE" + bytes(HUGE)]

    measured = costs(spec, pa.array([b"no file", *files], pa.binary()), tmp_path)

    assert [cost.issues for cost in measured] == [["too_large"]] * 2
    assert max(cost.megabytes for cost in measured) < 1


@pytest.mark.parametrize(
    "spec", [ImageSpec(column="x", allowed_roots=("/tmp",)), AudioSpec(column="x")], ids=lambda spec: spec.kind
)
def test_a_huge_path_is_not_taken_apart(spec: ModalitySpec, tmp_path: Path) -> None:
    """Fifty million folders, named or left by `..`: refused without a look (resolving them took over ten minutes)."""
    measured = costs(spec, pa.array(["/a", "a/" * (HUGE // 2), "../" * (HUGE // 3)]), tmp_path)

    assert [cost.issues for cost in measured] == [["path_not_allowed"]] * 2
    assert max(cost.seconds for cost in measured) < SECONDS
    assert max(cost.megabytes for cost in measured) < 1


def test_a_huge_number_or_category_is_of_a_bad_type(tmp_path: Path) -> None:
    """No number has 100 million digits, and no category's name: neither is parsed, compared or copied."""
    type_ = pa.struct({"age": pa.string(), "segment": pa.string()})
    spec = TabularSpec(numeric=("age",), categorical=("segment",), statistics={"age": NUMBER, "segment": CATEGORY})
    huge = [{"age": "7" * HUGE, "segment": "gold"}, {"age": "7", "segment": " " * HUGE}]

    measured = costs(spec, pa.array([{"age": "7", "segment": "gold"}, *huge], type_), tmp_path)

    assert [cost.issues for cost in measured] == [["bad_type"]] * 2
    assert max(cost.seconds for cost in measured) < SECONDS
    # if_else sets the long string null in a new array of strings, which Arrow makes as large as the old one.
    assert max(cost.megabytes for cost in measured) < 1.1 * HUGE / MEGABYTE


def test_a_million_categories_are_cleaned_in_a_second() -> None:
    """All but the fitted ones share a slot."""
    spec = TabularSpec(categorical=("segment",), statistics={"segment": CATEGORY})
    segment = pa.array([f"category {number}" for number in range(999_999)] + ["gold"])

    started = time.process_time()
    cleaned = spec.build()(spec.gather(pa.record_batch({"segment": segment})))

    assert time.process_time() - started < SECONDS
    assert set(cleaned.values.field("segment").to_pylist()) == {"<unknown>", "gold"}


def test_ten_million_events_cost_the_memory_of_a_block(tmp_path: Path) -> None:
    """The latest ones are kept by rule; sorting all at once would take 800 MB."""
    count = 10_000_000
    times = np.random.default_rng(0).permutation(count).astype(np.float64)
    events = pa.StructArray.from_arrays([pa.array(times), pa.array(np.full(count, 50.0))], ["time", "amount"])
    huge = pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), events)
    spec = SeriesSpec(column="visits", values=("amount",), max_length=3, statistics={"amount": NUMBER})

    [cost] = costs(spec, pa.concat_arrays([pa.array([[{"time": 0.0, "amount": 1.0}]], huge.type), huge]), tmp_path)
    latest = spec.build()(huge).values.to_pylist()

    assert (cost.issues, latest) == (["too_long"], [[{"time": count - back, "amount": 1.0} for back in (3, 2, 1)]])
    assert cost.megabytes < 200
