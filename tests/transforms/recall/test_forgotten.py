"""Tests of what is swept: stores that no run has used in a while, and halves of segments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.transforms.recall.samples import DIM, entries
from transforms.recall.forgotten import forgotten_stores, halves
from transforms.recall.store import Store


def store(folder: Path, name: str, last_used: int, keep_days: int = 30) -> Path:
    """A store with an entry, last used on that day."""
    made = Store(folder / name, DIM, folder.parent / "staging")
    made.add(entries(1))
    made.describe({"keep_days": keep_days}, last_used)
    return made.folder


def test_stores_that_were_used_lately_stay(tmp_path: Path) -> None:
    """Within their own retention of the latest use of any, on the days of runs: 100 - 30 = 70."""
    folder = tmp_path / "recall"
    store(folder, "a", 100)
    store(folder, "b", 70)
    old = store(folder, "c", 69)
    store(folder, "d", 50, keep_days=60)

    assert list(forgotten_stores(folder)) == [old]


def test_a_job_that_has_not_run_for_years_keeps_its_store(tmp_path: Path) -> None:
    """The clock does not count."""
    store(tmp_path / "recall", "a", 1)

    assert list(forgotten_stores(tmp_path / "recall")) == []


@pytest.mark.parametrize("content", [None, "", "[]", json.dumps({"last_used": 100})])
def test_a_store_without_a_description_is_forgotten(tmp_path: Path, content: str | None) -> None:
    """Nothing says when it was used."""
    broken = store(tmp_path / "recall", "a", 100)
    (broken / "store.json").unlink()
    if content is not None:
        (broken / "store.json").write_text(content)

    assert list(forgotten_stores(tmp_path / "recall")) == [broken]


def test_halves_are_found(tmp_path: Path) -> None:
    """Embeddings whose index never came; whole segments are left alone."""
    folder = store(tmp_path / "recall", "a", 100)
    (folder / "x-0000-0.f32").write_bytes(b"1234")

    assert list(halves(tmp_path / "recall")) == [folder / "x-0000-0.f32"]


def test_no_stores_at_all(tmp_path: Path) -> None:
    """An output without recall."""
    assert (list(forgotten_stores(tmp_path / "x")), list(halves(tmp_path / "x"))) == ([], [])
