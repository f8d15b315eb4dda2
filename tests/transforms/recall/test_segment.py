"""Tests of segments: sorted, looked up on disk, and never believed when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.transforms.recall.samples import DIM, entries, keys, numbers_of
from transforms.recall.segment import INDEX, VALUES, Damaged, Entries, Segment, write


def written(folder: Path, found: Entries) -> Path:
    """The index of a segment with these entries."""
    _, index = write(found.sorted(), folder, "layer-0000")
    return index


def test_what_was_written_is_found(tmp_path: Path) -> None:
    """By key, whatever the order in which it was written and is asked for; keys that are not there are not found."""
    segment = Segment(written(tmp_path, entries(7, 2, 5, 200)), DIM)

    rows, found = segment.find(keys(5, 1, 200, 2, 255))

    assert rows.tolist() == [0, 2, 3]
    assert numbers_of(found) == [5, 200, 2]
    assert found.issues.to_pylist() == [["odd"], [], []]
    assert found.days.tolist() == [10, 10, 10]
    assert (len(segment), segment.bytes) == (4, 4 * DIM * 4)


def test_half_a_key_is_not_enough(tmp_path: Path) -> None:
    """Both halves must be the same."""
    segment = Segment(written(tmp_path, entries(7)), DIM)

    rows, _ = segment.find(np.array([[7 << 56, 8]], np.uint64))

    assert rows.tolist() == []


def test_of_one_key_the_latest_day_stays() -> None:
    """Sorting leaves each key once."""
    both = Entries.concat([entries(4, 1, day=3), entries(1, 9, day=8), entries(1, day=5)]).sorted()

    assert numbers_of(both) == [1, 4, 9]
    assert both.days.tolist() == [8, 3, 8]


def test_a_range_of_keys(tmp_path: Path) -> None:
    """From the first, which is in it, to the end, which is not; the end of all keys is no number of 64 bits."""
    segment = Segment(written(tmp_path, entries(1, 4, 8, 255)), DIM)

    assert numbers_of(segment.between(4 << 56, 8 << 56)) == [4]
    assert numbers_of(segment.between(8 << 56, 1 << 64)) == [8, 255]
    assert numbers_of(segment.between(0, 1 << 64)) == [1, 4, 8, 255]


def flip(path: Path, position: int) -> None:
    """Invert one bit."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_every_bit_of_the_index_counts(tmp_path: Path) -> None:
    """One flipped anywhere, and the segment is refused before anything of it is read."""
    index = written(tmp_path, entries(*range(20)))
    size = index.stat().st_size

    for position in range(0, size, 7):
        flip(index, position)
        with pytest.raises(Damaged, match="must hold what its name says"):
            Segment(index, DIM)
        flip(index, position)
    assert len(Segment(index, DIM)) == 20


def test_a_damaged_embedding_is_not_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The others of its segment are."""
    index = written(tmp_path, entries(1, 2, 3))
    flip(index.with_suffix(VALUES), DIM * 4 + 2)  # in the second of three embeddings

    rows, found = Segment(index, DIM).find(keys(1, 2, 3))

    assert rows.tolist() == [0, 2]
    assert numbers_of(found) == [1, 3]
    assert "1 embeddings are damaged and will be made again" in caplog.text


def test_embeddings_of_another_number_are_refused(tmp_path: Path) -> None:
    """A file that was cut short."""
    index = written(tmp_path, entries(1, 2, 3))
    values = index.with_suffix(VALUES)
    values.write_bytes(values.read_bytes()[: 2 * DIM * 4])

    with pytest.raises(Damaged, match="must hold 3 embeddings; got 2"):
        Segment(index, DIM)


def test_the_same_entries_have_the_same_name(tmp_path: Path) -> None:
    """The checksum of the index is part of it, and an index is nothing but its entries."""
    names = [path.name for path in write(entries(3, 1).sorted(), tmp_path, "a")]

    assert names == [path.name for path in write(entries(1, 3).sorted(), tmp_path, "a")]
    assert [Path(name).suffix for name in names] == [VALUES, INDEX]
