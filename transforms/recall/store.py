"""Store: the segments of one modality's cleaning and encoder, beside the output, shared by all who run there.

    <output>/recall/<store key>/store.json                  what it is for, and when it was last used
    <output>/recall/<store key>/<layer>-<part>-<checksum>.arrow and .f32

Nothing locks. Files appear complete, under names that nobody else uses, are never changed, and vanish when they were
merged into another; whoever has one open keeps it. What is lost here costs time, never a row: a store that cannot be
read or written is done without.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from models.arrow import Int64
from transforms.recall.keys import Keys
from transforms.recall.segment import INDEX, VALUES, Damaged, Entries, Segment, write

DESCRIPTION: Final = "store.json"

_LOG = logging.getLogger(__name__)


@contextmanager
def done_without(what: str, path: Path) -> Iterator[None]:
    """Goes on where storage fails: all that is here can be made again."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        _LOG.warning("%s of known embeddings is done without, %s: %s", what, path, error)


class Store:
    """What is known for one store key.

    Args:
        folder: of the store; it need not exist.
        dim: length of its embeddings.
        staging: folder of the run's own, on the same file system, for files that are being written; None: nothing is.
    """

    def __init__(self, folder: Path, dim: int, staging: Path | None) -> None:
        self.folder = folder
        self.dim = dim
        self._staging = staging
        self._segments: dict[str, Segment] = {}
        self._damaged: set[str] = set()

    def refresh(self) -> None:
        """Look for segments that came or went."""
        with done_without("a folder", self.folder):
            names = {path.name for path in self.folder.glob(f"*{INDEX}")}
            self._segments = {name: segment for name, segment in self._segments.items() if name in names}
            for name in sorted(names - self._segments.keys() - self._damaged):
                self._open(name)

    def _open(self, name: str) -> None:
        try:
            self._segments[name] = Segment(self.folder / name, self.dim)
        except FileNotFoundError:
            pass  # merged since it was listed
        except (Damaged, ValueError) as error:  # ValueError: values of another length, or none
            self._damaged.add(name)
            _LOG.warning("a segment of known embeddings is done without: %s", error)

    @property
    def segments(self) -> list[Segment]:
        """Those that are open."""
        return list(self._segments.values())

    def find(self, keys: Keys) -> tuple[Int64, Entries]:
        """What is known of the keys, each once: `[k]` positions among the keys, and the k entries."""
        found: list[tuple[Int64, Entries]] = []
        left = np.arange(len(keys))
        for segment in self._segments.values():
            if not len(left):
                break
            rows, entries = segment.find(keys[left])
            if len(rows):
                found.append((left[rows], entries))
                left = np.delete(left, rows)
        if not found:
            return np.empty(0, np.int64), self.no_entries()
        return np.concatenate([rows for rows, _ in found]), Entries.concat([entries for _, entries in found])

    def no_entries(self) -> Entries:
        """None, in the store's form."""
        issues = pa.array([], pa.list_(pa.field("element", pa.string(), False)))
        return Entries(np.empty((0, 2), np.uint64), np.empty(0, np.int32), issues, np.empty((0, self.dim), np.float32))

    def add(self, entries: Entries) -> None:
        """Make entries known to all, as a layer of their own."""
        with done_without("a segment", self.folder):
            self.put(entries, new_layer(), 0)

    def put(self, entries: Entries, layer: str, part: int) -> None:
        """Put one part of a layer in place; none where there are no entries.

        Raises:
            OSError: it cannot be written.
        """
        if self._staging is None or not len(entries.keys):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._staging.mkdir(parents=True, exist_ok=True)
        for file in write(entries.sorted(), self._staging, f"{layer}-{part:04d}"):
            file.rename(self.folder / file.name)

    def discard_damaged(self) -> None:
        """Remove the segments that cannot be used."""
        while self._damaged:
            path = self.folder / self._damaged.pop()
            for file in (path, path.with_suffix(VALUES)):
                file.unlink(missing_ok=True)

    def remove(self, segment: Segment) -> None:
        """Forget a segment that another one replaces; whoever has it open keeps it."""
        for path in (segment.path, segment.path.with_suffix(VALUES)):
            path.unlink(missing_ok=True)
        self._segments.pop(segment.path.name, None)

    def describe(self, description: dict[str, object], day: int) -> None:
        """Note what the store is for, and that a run of this day used it."""
        path = self.folder / DESCRIPTION
        if self._staging is None:
            return
        with done_without("a description", path):
            day = max(day, last_used(self.folder) or day)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._staging.mkdir(parents=True, exist_ok=True)
            draft = self._staging / f"{DESCRIPTION}.{uuid.uuid4().hex}"
            draft.write_text(json.dumps({**description, "last_used": day}, indent=1, sort_keys=True) + "\n")
            draft.rename(path)


def new_layer() -> str:
    """A name that nobody else uses; the segments of one layer share it, and no key stands in two of them."""
    return uuid.uuid4().hex


def last_used(folder: Path) -> int | None:
    """Day (since 1970) of the latest run that used a store; None where that cannot be told."""
    try:
        return int(json.loads((folder / DESCRIPTION).read_text())["last_used"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
