"""Tests of stores: many segments as one, shared without locks, done without where storage fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.transforms.recall.samples import DIM, entries, keys, numbers_of
from transforms.recall.segment import INDEX, VALUES
from transforms.recall.store import Store, last_used


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store", DIM, tmp_path / "staging")


def test_what_one_adds_another_finds(store: Store) -> None:
    """Once it has looked; and nothing is left where files are written."""
    other = Store(store.folder, DIM, None)
    store.add(entries(1, 2))
    store.add(entries(2, 3))

    assert other.find(keys(1))[0].tolist() == []
    other.refresh()
    rows, found = other.find(keys(3, 9, 2, 1))

    assert sorted(zip(rows.tolist(), numbers_of(found), strict=True)) == [(0, 3), (2, 2), (3, 1)]
    assert list((store.folder.parent / "staging").iterdir()) == []


def test_a_store_that_does_not_exist_is_empty(store: Store) -> None:
    """And is not made by asking."""
    store.refresh()

    rows, found = store.find(keys(1))

    assert (rows.tolist(), found.embeddings.shape) == ([], (0, DIM))
    assert not store.folder.exists()


def test_nothing_is_written_without_a_place_to_write(store: Store) -> None:
    """As when a night is only planned."""
    planned = Store(store.folder, DIM, None)

    planned.add(entries(1))
    planned.describe({}, 5)

    assert not store.folder.exists()


def test_segments_that_vanish_are_forgotten(store: Store) -> None:
    """They were merged into another; one that is open is still read."""
    store.add(entries(1))
    store.refresh()
    (segment,) = store.segments
    store.remove(segment)

    assert numbers_of(segment.find(keys(1))[1]) == [1]
    store.refresh()
    assert store.segments == []
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("suffix", [INDEX, VALUES])
@pytest.mark.parametrize("content", [b"", b"\0" * 5], ids=["empty", "short"])
def test_a_damaged_segment_is_done_without(
    store: Store, suffix: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are still found; it is told once, and can be removed."""
    store.add(entries(1))
    (damaged,) = store.folder.glob(f"*{suffix}")
    damaged.write_bytes(content)
    store.add(entries(2))

    store.refresh()
    store.refresh()

    assert numbers_of(store.find(keys(1, 2))[1]) == [2]
    assert caplog.text.count("is done without") == 1
    store.discard_damaged()
    assert len(list(store.folder.iterdir())) == 2


def test_embeddings_of_another_length_are_done_without(store: Store) -> None:
    """A store's key decides the length; if it does not, nothing of it is used."""
    store.add(entries(1, 2))
    longer = Store(store.folder, DIM + 1, None)

    longer.refresh()

    assert longer.segments == []


def test_storage_that_fails_costs_no_row(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A file stands where the folder should be: it is told, and the run goes on."""
    store.folder.write_text("no folder")

    store.refresh()
    store.add(entries(1))
    store.describe({}, 5)

    assert store.find(keys(1))[0].tolist() == []
    assert caplog.text.count("is done without") >= 2


def test_a_store_says_what_it_is_for_and_when_it_was_used(store: Store) -> None:
    """The latest day counts, also when an earlier date is run again."""
    store.describe({"modality": "note"}, 9)
    store.describe({"modality": "note"}, 4)

    assert last_used(store.folder) == 9
    assert '"modality": "note"' in (store.folder / "store.json").read_text()
    os.truncate(store.folder / "store.json", 3)
    assert last_used(store.folder) is None
