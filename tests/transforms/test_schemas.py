"""Tests of schema unification: what widens, what is refused, and that values survive."""

from __future__ import annotations

import pyarrow as pa
import pytest

from models.errors import SchemaRefused
from transforms.schemas import cast, conform, plain_type, unify, widen

STRUCT_A = pa.struct([("t", pa.int32())])
STRUCT_AB = pa.struct([("t", pa.int64()), ("extra", pa.string())])


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int64(), pa.int16(), pa.int64()),
        (pa.uint8(), pa.int8(), pa.int16()),  # 0..255 and -128..127 both fit into 16 bits
        (pa.uint64(), pa.int64(), None),  # nothing exact above 2^63
        (pa.int32(), pa.float32(), pa.float64()),
        (pa.int64(), pa.float64(), None),  # 2^53 + 1 would be rounded
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.null(), pa.string(), pa.string()),
        (pa.timestamp("s", "UTC"), pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), None),
        (pa.timestamp("ms", "Europe/Berlin"), pa.timestamp("us", "Asia/Tokyo"), pa.timestamp("us", "UTC")),
        (pa.timestamp("ms", "Europe/Berlin"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("us", "Europe/Berlin")),
        (pa.string(), pa.int64(), None),
        (STRUCT_A, STRUCT_AB, pa.struct([("t", pa.int64())])),
        (pa.list_(pa.int32()), pa.list_(pa.int64()), pa.list_(pa.int64())),
    ],
)
def test_widen(one: pa.DataType, other: pa.DataType, common: pa.DataType | None) -> None:
    """Two types meet in the narrowest one that holds both exactly, or not at all."""
    assert widen(one, other) == common


@pytest.mark.parametrize(
    ("stored", "plain"),
    [
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.dictionary(pa.int32(), pa.large_string()), pa.string()),
        (pa.large_binary(), pa.binary()),
        (pa.large_list(pa.large_string()), pa.list_(pa.string())),
        (pa.struct([("b", pa.large_binary())]), pa.struct([("b", pa.binary())])),
        (pa.list_(pa.int8(), 3), pa.list_(pa.int8())),
        (pa.uuid(), pa.binary()),
        (pa.list_(pa.json_()), pa.list_(pa.string())),
    ],
)
def test_encodings_of_a_file_do_not_matter(stored: pa.DataType, plain: pa.DataType) -> None:
    """Dictionary, large and view variants are one type to Amalgam."""
    assert plain_type(stored) == plain


def test_the_first_file_decides_the_columns() -> None:
    """Added columns are ignored, unless the job reads them."""
    files = [
        ("a", pa.schema([("k", pa.int32())])),
        ("b", pa.schema([("k", pa.int64()), ("new", pa.int8()), ("r", pa.int8())])),
    ]

    schema, refused = unify(files, required=["k", "r"])

    assert schema == pa.schema([("k", pa.int64()), ("r", pa.int8())])
    assert refused == {}


def test_a_refusal_names_file_column_and_both_types() -> None:
    """The file that does not fit is refused, the others stay."""
    files = [("a", pa.schema([("k", pa.int32())])), ("b", pa.schema([("k", pa.string())]))]

    schema, refused = unify(files, required=["k"])

    assert schema.field("k").type == pa.int32()
    assert refused["b"].startswith("b: column 'k' must be int32")
    assert refused["b"].endswith("got string")


def test_the_most_common_schema_decides() -> None:
    """One odd file in front is refused, and not the two that differ from it; its own column is not taken over."""
    odd = pa.schema([("k", pa.string()), ("own", pa.int8())])
    common = pa.schema([("k", pa.int32())])

    schema, refused = unify([("a", odd), ("b", common), ("c", common)], required=["k"])

    assert schema == common
    assert set(refused) == {"a"}


@pytest.mark.parametrize("spelled", ["K", " k", "k "])
def test_a_name_that_is_spelled_otherwise_is_no_missing_column(spelled: str) -> None:
    """Taken for missing, the column would be null in this file, and nobody would know."""
    files = [("a", pa.schema([("k", pa.int32())])), ("b", pa.schema([(spelled, pa.int32())]))]

    _, refused = unify(files, required=["k"])

    assert refused == {"b": f"b: column 'k' must be spelled as in the other files or the job; got {spelled!r}"}


def test_both_spellings_in_one_file_are_two_columns() -> None:
    """The one that is meant is there."""
    files = [("a", pa.schema([("k", pa.int32())])), ("b", pa.schema([("k", pa.int32()), ("K", pa.int32())]))]

    assert unify(files, required=["k"])[1] == {}


def test_a_column_that_is_never_null_may_not_be_missing() -> None:
    """Missing columns are null, so only nullable ones can be missing."""
    strict = pa.schema([pa.field("k", pa.int32()), pa.field("v", pa.int32(), nullable=False)])

    _, refused = unify([("a", strict), ("b", pa.schema([("k", pa.int32())]))], required=["k"])

    assert refused == {"b": "b: column 'v' must be there, since in the other files it is never null; got none"}


def test_an_extension_is_read_as_what_it_is_stored_as() -> None:
    """A UUID is its 16 bytes."""
    raw = pa.array([bytes(range(16)), None], pa.binary(16))

    assert cast(pa.ExtensionArray.from_storage(pa.uuid(), raw), pa.binary()).to_pylist() == [bytes(range(16)), None]


def test_a_column_given_twice_is_refused() -> None:
    """Which of the two is meant cannot be known."""
    twice = pa.schema([pa.field("k", pa.int32()), pa.field("k", pa.int32())])

    _, refused = unify([("a", twice)], required=["k"])

    assert "more than once" in refused["a"]


def test_bytes_that_are_not_utf8_survive_as_they_are() -> None:
    """A large_string of invalid bytes becomes a string of the same bytes; judging is the cleaner's."""
    raw = pa.array([b"ok", b"\xff\xfe", None], pa.large_binary())
    column = pa.Array.from_buffers(pa.large_string(), 3, raw.buffers())

    result = cast(column, pa.string())

    assert result.type == pa.string()
    assert result.cast(pa.binary(), safe=False).to_pylist() == [b"ok", b"\xff\xfe", None]


@pytest.mark.parametrize("start", [0, 1])
def test_lists_of_structs_gain_and_lose_fields(start: int) -> None:
    """Nested fields are matched by name; added ones are dropped, missing ones null; slices work."""
    column = pa.array(
        [[{"t": 1, "extra": "x"}], None, [{"t": 2, "extra": "y"}, {"t": 3, "extra": "z"}]], pa.large_list(STRUCT_AB)
    ).slice(start)
    target = pa.list_(pa.struct([("t", pa.int64()), ("n", pa.float32())]))

    result = cast(column, target)

    expected = [[{"t": 1, "n": None}], None, [{"t": 2, "n": None}, {"t": 3, "n": None}]]
    assert result.to_pylist() == expected[start:]


def test_conform_names_the_file_when_a_value_does_not_fit() -> None:
    """A timestamp that overflows the finer unit is refused with file and column."""
    batch = pa.record_batch({"t": pa.array([2**60], pa.timestamp("s"))})

    with pytest.raises(SchemaRefused, match=r"f\.parquet: column 't' must be timestamp\[ns\]"):
        conform(batch, pa.schema([("t", pa.timestamp("ns"))]), "f.parquet")
