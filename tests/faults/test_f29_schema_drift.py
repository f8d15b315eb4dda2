"""F29: schema drift between the files of one night."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.nights import TinyNight, make_night
from tests.faults.oracle import standing_manifest
from tests.pipelines.tiny_jobs import DATE, records, run_command
from transforms.read import RowGroupUnreadable, read_unit
from transforms.units import plan_input

Capture = pytest.CaptureFixture[str]
Change = Callable[[pa.Table], pa.Table]

MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
JOB: dict[str, Any] = {"output": {"path": "out", "keep": ["visits", "count", "at", "media"]}}
KEPT = ("visits", "count", "at", "media")


def rows(start: int, stop: int) -> pa.Table:
    """Records with a list, a whole number, a time and a struct besides."""
    numbers = range(start, stop)
    return (
        records(start, stop)
        .append_column("visits", pa.array([[i, i + 1] for i in numbers], pa.list_(pa.int32())))
        .append_column("count", pa.array(numbers, pa.int32()))
        .append_column("at", pa.array([i * 1000 for i in numbers], pa.timestamp("ms", "UTC")))
        .append_column("media", pa.array([{"bytes": b"%d" % i, "path": None} for i in numbers], MEDIA))
    )


def cast(column: str, target: pa.DataType) -> Change:
    """The column in another type."""
    return lambda table: replaced(table, column, table[column].cast(target))


def replaced(table: pa.Table, column: str, values: pa.ChunkedArray | pa.Array) -> pa.Table:
    """The table with other values in a column."""
    return table.set_column(table.column_names.index(column), column, values)


def renamed(old: str, new: str) -> Change:
    """The table with a column under another name."""
    return lambda table: table.rename_columns([new if name == old else name for name in table.column_names])


def never_null(table: pa.Table) -> pa.Table:
    """The table with a key that is declared to be never null."""
    return table.cast(table.schema.set(0, table.schema.field("id").with_nullable(False)))


def media_with(**parts: pa.DataType) -> Change:
    """The struct with these fields; those that it had keep their values."""

    def change(table: pa.Table) -> pa.Table:
        values = [{name: row["media"].get(name) for name in parts} for row in table.select(["media"]).to_pylist()]
        return replaced(table, "media", pa.array(values, pa.struct(list(parts.items()))))

    return change


class Drift(NamedTuple):
    """How the second file differs, and what becomes of it."""

    change: Change
    refusal: tuple[str, ...] = ()
    """Words of the refusal; empty where the file is taken."""
    null: str = ""
    """The column that is null in the second file's rows, if one is."""


def refused(column: str, wanted: str, got: str) -> tuple[str, ...]:
    """The words that tell file, column and both types."""
    return ("01.parquet", f"column {column!r} must be {wanted} (as in the other files)", f"got {got}")


DRIFTS: dict[str, Drift] = {
    "column added": Drift(lambda table: table.append_column("new", pa.array(range(len(table))))),
    "columns reordered": Drift(lambda table: table.select(table.column_names[::-1])),
    "nullable column missing": Drift(lambda table: table.drop_columns(["note"]), null="has_note"),
    "kept column missing": Drift(lambda table: table.drop_columns(["count"]), null="count"),
    "column of nothing but nulls": Drift(lambda table: replaced(table, "note", pa.nulls(len(table))), null="has_note"),
    "int32 to int64": Drift(cast("count", pa.int64())),
    "int32 to int16": Drift(cast("count", pa.int16())),
    "float64 to float32": Drift(cast("age", pa.float32())),
    "float64 to int32": Drift(cast("age", pa.int32())),
    "string to large_string": Drift(cast("note", pa.large_string())),
    "string to string_view": Drift(cast("note", pa.string_view())),
    "string to dictionary": Drift(lambda table: replaced(table, "segment", table["segment"].dictionary_encode())),
    "list to large_list": Drift(cast("visits", pa.large_list(pa.int32()))),
    "list to fixed_size_list": Drift(cast("visits", pa.list_(pa.int32(), 2))),
    "list of wider numbers": Drift(cast("visits", pa.list_(pa.int64()))),
    "struct field added": Drift(media_with(bytes=pa.binary(), path=pa.string(), size=pa.int64())),
    "struct field missing": Drift(media_with(bytes=pa.binary())),
    "struct field in another encoding": Drift(media_with(path=pa.large_string(), bytes=pa.large_binary())),
    "finer unit of time": Drift(cast("at", pa.timestamp("us", "UTC"))),
    "another zone": Drift(cast("at", pa.timestamp("ms", "Europe/Berlin"))),
    "key never null": Drift(never_null),
    "no zone": Drift(
        lambda table: replaced(table, "at", table["at"].cast(pa.timestamp("ms"))),
        refused("at", "timestamp[ms, tz=UTC]", "timestamp[ms]"),
    ),
    "text in a column of numbers": Drift(cast("age", pa.string()), refused("age", "double", "string")),
    "number in a column of texts": Drift(
        lambda table: replaced(table, "note", table["count"]), refused("note", "string", "int32")
    ),
    "float64 to int64": Drift(cast("age", pa.int64()), refused("age", "double", "int64")),
    "struct to its bytes": Drift(
        lambda table: replaced(table, "media", pa.array([b"x"] * len(table))),
        refused("media", "struct<bytes: binary, path: string>", "binary"),
    ),
    "name in another case": Drift(
        renamed("age", "Age"), ("01.parquet", "column 'age' must be spelled as in the other files", "got 'Age'")
    ),
    "name with a blank": Drift(
        renamed("note", "note "), ("01.parquet", "column 'note' must be spelled as in the other files", "got 'note '")
    ),
    "a name twice": Drift(
        lambda table: table.append_column("age", table["age"]),
        ("01.parquet", "columns must have different names; got 'age' more than once"),
    ),
}
"""What differs in the second file -> the decision."""


def drifted(tmp_path: Path, drift: Drift) -> TinyNight:
    """A night of three files, of which the second one differs."""
    return make_night(tmp_path / "tiny", rows(0, 10), drift.change(rows(10, 20)), rows(20, 30), **JOB)


def quiet(tmp_path: Path) -> pa.Table:
    """What the same records give without a difference."""
    night = make_night(tmp_path / "quiet", rows(0, 10), rows(10, 20), rows(20, 30), **JOB)
    night.run()
    return night.published()


@pytest.mark.beam
@pytest.mark.parametrize("name", [name for name, drift in DRIFTS.items() if not drift.refusal])
def test_safe_drifts_publish_every_row_as_if_there_were_none(tmp_path: Path, name: str) -> None:
    """30 rows with the values of a quiet night; where a column is missing it is null, and nothing else changes."""
    drift = DRIFTS[name]
    night = drifted(tmp_path, drift)

    night.run()

    changed = {f"c{i:04d}" for i in range(10, 20)} if drift.null else set()
    night.assert_sound(altered=changed)
    got, wanted = night.published(), quiet(tmp_path)
    for column in (*KEPT, "emb_note", "emb_profile", "fused"):
        pairs = zip(got["id"].to_pylist(), instants(got[column]), instants(wanted[column]), strict=True)
        assert [key for key, one, other in pairs if one != other and key not in changed] == [], column
    if drift.null:
        values = dict(zip(got["id"].to_pylist(), got[drift.null].to_pylist(), strict=True))
        assert {bool(values[key]) for key in changed} == {False}


def instants(column: pa.ChunkedArray) -> list[Any]:
    """Values that can be compared, also where a finer unit or another zone was taken."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", "UTC"))
    values: list[Any] = column.to_pylist()
    return values


@pytest.mark.parametrize("name", [name for name, drift in DRIFTS.items() if drift.refusal])
def test_unsafe_drifts_refuse_the_file(tmp_path: Path, capsys: Capture, name: str) -> None:
    """Exit 65 in one sentence with file, column and both types or names; nothing is published."""
    night = drifted(tmp_path, DRIFTS[name])

    ran = run_command(capsys, night.job)

    assert ran.code == 65
    assert [words for words in DRIFTS[name].refusal if words not in ran.error] == []
    assert "got 1 that cannot be used" in ran.error
    assert not list(night.out.glob("features/*"))


@pytest.mark.beam
def test_the_others_are_published_where_that_is_allowed(tmp_path: Path, capsys: Capture) -> None:
    """20 rows of two files; the manifest says why the third is not among them."""
    drift = DRIFTS["text in a column of numbers"]
    night = drifted(tmp_path, drift)

    ran = run_command(capsys, night.job, "--set", "quarantine.unreadable_files=allow")

    assert (ran.code, ran.ledger["rows_published"]) == (0, 20)
    manifest = standing_manifest(night.out, DATE)
    assert manifest is not None
    assert all(words in manifest["details"]["unusable_files"]["01.parquet"] for words in drift.refusal[1:])
    night.assert_sound(refused={"01.parquet"})


@pytest.mark.beam
def test_one_odd_file_is_refused_wherever_it_stands(tmp_path: Path, capsys: Capture) -> None:
    """When the first file is the odd one, it is left out, and not the many that differ from it."""
    odd = DRIFTS["text in a column of numbers"].change(rows(0, 10))
    night = make_night(tmp_path / "tiny", odd, rows(10, 20), rows(20, 30), **JOB)

    ran = run_command(capsys, night.job, "--set", "quarantine.unreadable_files=allow")

    assert (ran.code, ran.ledger["rows_published"]) == (0, 20)
    night.assert_sound(refused={"00.parquet"})


def test_a_column_that_is_never_null_cannot_be_missing(tmp_path: Path, capsys: Capture) -> None:
    """Rule: missing *nullable* columns are null."""
    first = rows(0, 10)
    place = first.column_names.index("count")
    strict = first.cast(first.schema.set(place, first.schema.field("count").with_nullable(False)))
    night = make_night(tmp_path / "tiny", strict, rows(10, 20).drop_columns(["count"]), **JOB)

    ran = run_command(capsys, night.job)

    assert ran.code == 65
    assert "01.parquet: column 'count' must be there, since in the other files it is never null; got none" in ran.error


ENCODINGS: dict[str, dict[str, Any]] = {
    "a dictionary that overflows into plain pages": {"dictionary_pagesize_limit": 200, "data_page_size": 200},
    "dictionaries": {"use_dictionary": True},
    "none": {"use_dictionary": False},
    "lengths apart from bytes": {"use_dictionary": False, "column_encoding": {"note": "DELTA_LENGTH_BYTE_ARRAY"}},
    "differences of neighbours": {"use_dictionary": False, "column_encoding": {"note": "DELTA_BYTE_ARRAY"}},
}
STORED = [pa.string(), pa.large_string(), pa.string_view(), "dictionary"]
NOT_IN_PYARROW = {("dictionary", "lengths apart from bytes"), ("dictionary", "differences of neighbours")}
"""What Arrow remembers as a dictionary, stored in these encodings: pyarrow 25 does not read that back."""


@pytest.mark.parametrize(
    ("stored", "encoding"), sorted(set(product(STORED, ENCODINGS)) - NOT_IN_PYARROW, key=str), ids=str
)
def test_how_a_column_is_encoded_does_not_matter(tmp_path: Path, stored: Any, encoding: str) -> None:
    """Every pair of an Arrow type that the file remembers and an encoding of its pages, which changes on the way."""
    table = rows(0, 300)
    notes = table["note"]
    change = notes.dictionary_encode() if stored == "dictionary" else notes.cast(stored)
    pq.write_table(replaced(table, "note", change), tmp_path / "a.parquet", row_group_size=100, **ENCODINGS[encoding])
    found = plan_input(str(tmp_path), ["note"], 5000, 1 << 30)

    batches = list(read_unit(found.units[0], found.schema, batch_rows=7, batch_bytes=1 << 20))

    assert {batch.schema.field("note").type for batch in batches} == {pa.string()}
    assert [note for batch in batches for note in batch.column("note").to_pylist()] == notes.to_pylist()


@pytest.mark.parametrize("encoding", sorted(encoding for _, encoding in NOT_IN_PYARROW))
def test_what_pyarrow_cannot_decode_is_named_and_not_lost(tmp_path: Path, encoding: str) -> None:
    """Its rows are quarantined by their numbers, with pyarrow's own words as the reason."""
    table = replaced(rows(0, 9), "note", rows(0, 9)["note"].dictionary_encode())
    pq.write_table(table, tmp_path / "a.parquet", **ENCODINGS[encoding])
    found = plan_input(str(tmp_path), ["note"], 5000, 1 << 30)

    with pytest.raises(RowGroupUnreadable, match="row group 0: Not yet implemented"):
        list(read_unit(found.units[0], found.schema, batch_rows=7, batch_bytes=1 << 20))
