"""Notes that outlive a run: found again by their key, and never in the way."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from transforms.workers import notes

KEY = {"op": "abc", "machine": {"cores": 2}}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder."""
    monkeypatch.delenv("AMALGAM_PLANS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_a_note_is_found_again() -> None:
    """Under its key, and under no other."""
    notes.note(KEY, {"threads": 2})

    assert notes.recall(KEY) == {"threads": 2}
    assert notes.recall({**KEY, "op": "abd"}) is None


def test_the_last_note_stands(cache: Path) -> None:
    """One file for each key, and nothing else is left."""
    notes.note(KEY, {"threads": 1})
    notes.note(KEY, {"threads": 2})

    assert notes.recall(KEY) == {"threads": 2}
    assert len([path for path in cache.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": {"op": "another"}, "value": {}}', "\udcff"])
def test_a_damaged_note_counts_as_none(cache: Path, content: str) -> None:
    """Cut off, not JSON, not a note, another's, not UTF-8: measured again."""
    notes.note(KEY, {"threads": 2})
    (path,) = cache.rglob("*.json")
    path.write_bytes(content.encode(errors="surrogateescape"))

    assert notes.recall(KEY) is None


def test_a_folder_that_cannot_be_written_is_a_warning(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file where the folder should be."""
    (cache / "amalgam").touch()

    with caplog.at_level(logging.WARNING):
        notes.note(KEY, {"threads": 2})

    assert "a note on workers cannot be kept" in caplog.text
