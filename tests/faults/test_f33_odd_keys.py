"""F33: keys that are null, empty, huge, look alike, or are no text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.nights import TinyNight, make_night
from tests.pipelines.tiny_jobs import DATE, records

pytestmark = pytest.mark.beam

NFC, NFD = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
MEGABYTE = "k" * 2**20


def night_of(folder: Path, keys: pa.Array) -> TinyNight:
    """A night whose rows have these keys."""
    return make_night(folder, records(0, len(keys)).set_column(0, "id", keys))


def reasons(night: TinyNight) -> list[tuple[Any, str, int]]:
    """(key, reason, row) of every quarantined row."""
    folder = night.out / "quarantine" / f"date={DATE}"  # the records may hold what is no UTF-8
    tables = [pq.ParquetFile(path).read(["key", "reason", "row"]) for path in sorted(folder.glob("*.parquet"))]
    return [(line["key"], line["reason"], line["row"]) for table in tables for line in table.to_pylist()]


def test_null_and_empty_keys_are_quarantined(tmp_path: Path) -> None:
    """Each with its reason and record; a blank is a key, if an odd one."""
    night = night_of(tmp_path, pa.array(["a", None, "", " ", None, "b"]))

    night.run()

    assert night.published()["id"].to_pylist() == [" ", "a", "b"]
    assert reasons(night) == [(None, "key.missing", 1), ("", "key.missing", 2), (None, "key.missing", 4)]
    night.assert_sound()


def test_a_key_of_a_megabyte_is_a_key(tmp_path: Path) -> None:
    """Kept whole, and told apart from one that differs in its last character; repeated, it is a repeat."""
    night = night_of(tmp_path, pa.array([MEGABYTE, MEGABYTE[:-1] + "j", MEGABYTE, "small"]))

    night.run()

    assert night.published()["id"].to_pylist() == [MEGABYTE[:-1] + "j", MEGABYTE, "small"]
    assert reasons(night) == [(MEGABYTE, "key.duplicate", 2)]
    night.assert_sound()


def test_keys_that_look_alike_are_different_keys(tmp_path: Path) -> None:
    """Exact bytes count: composed and decomposed, Latin and Cyrillic, with and without what nobody sees."""
    alike = [NFC, NFD, "cafe", "caf\u0435", "cafe\u200b", "cafe ", "Cafe", "cafe\0", "ﬁx", "fix", "\u212a", "K"]
    night = night_of(tmp_path, pa.array(alike))

    night.run()

    assert sorted(night.published()["id"].to_pylist()) == sorted(alike)
    assert reasons(night) == []
    night.assert_sound()


@pytest.mark.parametrize(
    ("keys", "published", "lost"),
    [
        (pa.array([3, None, -1, 3, 0], pa.int64()), [-1, 0, 3], [(None, "key.missing", 1), ("3", "key.duplicate", 3)]),
        (
            pa.array([b"\xff\0", b"", None, b"\xff\0", b"a"], pa.binary()),
            [b"a", b"\xff\0"],
            [("", "key.missing", 1), (None, "key.missing", 2), ("ff00", "key.duplicate", 3)],
        ),
        (
            pa.array(["x", "y", "x"]).dictionary_encode(),
            ["x", "y"],
            [("x", "key.duplicate", 2)],
        ),
        (pa.array(["x", "", "x"], pa.large_string()), ["x"], [("", "key.missing", 1), ("x", "key.duplicate", 2)]),
    ],
    ids=["integers", "binary", "dictionary", "large strings"],
)
def test_keys_of_other_types(
    keys: pa.Array, published: Sequence[object], lost: Sequence[tuple[Any, str, int]], tmp_path: Path
) -> None:
    """Integers and bytes are keys of their own type; encodings of strings are strings."""
    night = night_of(tmp_path, keys)

    night.run()

    assert night.published()["id"].to_pylist() == published
    assert reasons(night) == lost
    night.assert_sound()


def test_keys_that_are_not_utf8_are_quarantined(tmp_path: Path) -> None:
    """Few readers take such strings: the row stands in quarantine, its key made readable."""
    raw = pa.array([b"a", b"caf\xe9", b"b"])
    night = night_of(tmp_path, pa.Array.from_buffers(pa.string(), 3, raw.buffers()))

    night.run()

    assert night.published()["id"].to_pylist() == ["a", "b"]
    assert reasons(night) == [("caf\ufffd", "key.not_utf8", 1)]
    night.assert_sound()
