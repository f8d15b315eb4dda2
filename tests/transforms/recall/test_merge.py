"""Tests of merging: few segments from many, nothing lost but what nobody asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transforms.recall.samples import DIM, entries, keys, numbers_of
from transforms.recall import merge as module
from transforms.recall.merge import FAN, merge
from transforms.recall.segment import Entries
from transforms.recall.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store", DIM, tmp_path / "staging")


def found(store: Store, *numbers: int) -> list[int]:
    """Which of the numbers a newcomer finds."""
    other = Store(store.folder, DIM, None)
    other.refresh()
    return sorted(numbers_of(other.find(keys(*numbers))[1]))


def test_few_segments_are_left_alone(store: Store) -> None:
    """Fewer than eight of a size."""
    for number in range(FAN - 1):
        store.add(entries(number))

    merge(store, oldest=0)

    assert len(store.segments) == FAN - 1


def test_many_become_one(store: Store) -> None:
    """And all that was in them is still there."""
    for number in range(FAN):
        store.add(entries(number, 100 + number))

    merge(store, oldest=0)

    assert len(store.segments) == 1
    assert found(store, *range(256)) == [*range(FAN), *range(100, 100 + FAN)]
    assert len(list(store.folder.iterdir())) == 2


def test_sizes_grow(store: Store) -> None:
    """Eight times eight become one in the end: the merged ones are of one size themselves."""
    for number in range(FAN * FAN):
        store.add(entries(number))
        merge(store, oldest=0)

    assert len(store.segments) == 1
    assert found(store, *range(256)) == list(range(FAN * FAN))


def test_a_large_layer_is_cut_by_keys(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory is bounded by one part: 8 segments of 30 entries, at most 100 bytes each."""
    monkeypatch.setattr(module, "SEGMENT_BYTES", 20 * DIM * 4)
    for number in range(FAN):
        store.add(entries(*range(number * 30, number * 30 + 30)))

    merge(store, oldest=0)

    # 240 entries of 12 bytes in parts of 240 bytes: 12 ranges of keys, of which the last holds no number up to 239.
    assert max(len(segment) for segment in store.segments) <= 22
    assert len({segment.path.name.partition("-")[0] for segment in store.segments}) == 1
    assert found(store, *range(256)) == list(range(240))


def test_what_nobody_asked_for_is_left_out(store: Store) -> None:
    """Entries older than the oldest day; of a key that was asked for again the later day counts."""
    store.add(Entries.concat([entries(1, 2, day=5), entries(3, day=6)]))
    store.add(entries(2, day=7))
    for number in range(10, 10 + FAN):
        store.add(entries(number, day=8))

    merge(store, oldest=6)

    assert found(store, 1, 2, 3, *range(10, 10 + FAN)) == [2, 3, *range(10, 10 + FAN)]


def test_a_merge_that_fails_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the small segments stay, and the run goes on."""
    for number in range(FAN):
        store.add(entries(number))

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "put", full)
    merge(store, oldest=0)

    assert len(store.segments) == FAN
    assert found(store, *range(FAN)) == list(range(FAN))


def test_a_damaged_segment_is_removed(store: Store) -> None:
    """Nobody can use it."""
    store.add(entries(1))
    (index,) = store.folder.glob("*.arrow")
    index.write_bytes(b"")

    merge(store, oldest=0)

    assert list(store.folder.iterdir()) == []


def test_two_may_merge_at_once(store: Store) -> None:
    """The second finds nothing left to remove, and what it made stands for no harm beside the first's."""
    for number in range(FAN):
        store.add(entries(number))
    second = Store(store.folder, DIM, store.folder.parent / "staging")
    second.refresh()
    segments = second.segments

    merge(store, oldest=0)
    module._into_one(second, segments, 0)

    assert found(store, *range(FAN)) == list(range(FAN))
