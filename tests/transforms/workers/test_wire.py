"""What travels between processes: only the rows, the columns that are read, and the columns that changed."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from transforms.workers.wire import Changes, apply, changes, pack


def pickled_bytes(value: object) -> int:
    """Bytes that Ray would move: the pickle and its out-of-band buffers."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return len(head) + sum(b.raw().nbytes for b in buffers)


@pytest.fixture
def large() -> pa.RecordBatch:
    """10,000 rows of 16 bytes each."""
    return pa.RecordBatch.from_pydict({"a": pa.array(range(10_000)), "b": pa.array(range(10_000))})


def test_slice_ships_its_own_rows_only(large: pa.RecordBatch) -> None:
    """10 rows of two int64 columns are 160 bytes; with the framing far below the 160,000 of the whole."""
    part = pack(large.slice(5_000, 10))

    assert part.equals(large.slice(5_000, 10))
    assert pickled_bytes(part) < 2_000


def test_whole_batch_is_not_copied(large: pa.RecordBatch) -> None:
    """A batch that owns its buffers goes as it is."""
    assert pack(large) is large


def test_only_columns_that_are_read_are_packed(large: pa.RecordBatch) -> None:
    """The others stay at home."""
    assert pack(large, ["b"]).schema.names == ["b"]


def test_untouched_columns_do_not_come_back(large: pa.RecordBatch) -> None:
    """An added column is the only change."""
    change = changes(large, large.append_column("c", large.column("a")))

    assert change.columns.schema.names == ["c"]
    assert change.dropped == ()


def test_replaced_column_stays_in_its_place(large: pa.RecordBatch) -> None:
    """A column with new values comes back and goes where the old one stood."""
    after = large.set_column(0, "a", large.column("a").take(pa.array(range(9_999, -1, -1))))

    change = changes(large, after)

    assert change.columns.schema.names == ["a"]
    assert apply(large, change).equals(after)


def test_dropped_column_is_dropped(large: pa.RecordBatch) -> None:
    """What the op removed is removed here too."""
    after = large.drop_columns(["a"])

    assert changes(large, after).dropped == ("a",)
    assert apply(large, changes(large, after)).equals(after)


def test_same_values_in_other_rows_are_a_change(large: pa.RecordBatch) -> None:
    """Two slices of one column share their memory but not their rows."""
    before, after = large.slice(0, 10), large.slice(10, 10)

    assert changes(before, after).columns.schema.names == ["a", "b"]


def test_changed_metadata_is_a_change(large: pa.RecordBatch) -> None:
    """The field's metadata belongs to the promise of the op."""
    field = large.schema.field("a").with_metadata({b"dim": b"3"})
    after = large.set_column(0, field, large.column("a"))

    assert apply(large, changes(large, after)).schema.equals(after.schema, check_metadata=True)


def test_changes_to_unread_columns_are_impossible(large: pa.RecordBatch) -> None:
    """Columns that did not travel stay as they are, before the new ones."""
    part = pack(large, ["b"])

    result = apply(large, changes(part, part.append_column("c", part.column("b"))))

    assert result.schema.names == ["a", "b", "c"]


def test_nothing_changed() -> None:
    """A batch without rows and without changes survives."""
    batch = pa.RecordBatch.from_pydict({"a": pa.array([], pa.int64())})

    assert apply(batch, changes(batch, batch)).equals(batch)
    assert changes(batch, batch) == Changes(batch.select([]), ())
