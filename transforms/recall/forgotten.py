"""Forgotten: what lies among the stores and no run will ask for again; `amalgam gc` removes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from transforms.recall.segment import INDEX, VALUES
from transforms.recall.store import DESCRIPTION


class _Use(NamedTuple):
    """What a store's description says of its use, in days."""

    last: int
    keep: int


def forgotten_stores(folder: Path) -> Iterator[Path]:
    """Stores that were used last so long before another one was that their entries are out of date, and broken ones.

    The latest use of any store stands for today: dates are those of runs, not the clock's.

    Args:
        folder: of all stores of an output; it need not exist.
    """
    uses = {path: _use(path) for path in _folders(folder)}
    today = max((use.last for use in uses.values() if use is not None), default=0)
    for path, use in uses.items():
        if use is None or use.last < today - use.keep:
            yield path


def halves(folder: Path) -> Iterator[Path]:
    """Embeddings without an index: whoever put them there was killed before the second file."""
    for store in _folders(folder):
        for path in sorted(store.glob(f"*{VALUES}")):
            if not path.with_suffix(INDEX).exists():
                yield path


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _use(store: Path) -> _Use | None:
    try:
        described = json.loads((store / DESCRIPTION).read_text())
        return _Use(int(described["last_used"]), int(described["keep_days"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it cannot be told whose it is; what it knows is made again
