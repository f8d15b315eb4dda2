"""Looks on while a fault happens: at every moment each reader sees the old rows, the new rows, or fails loudly (V8)."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from models.schema import FINGERPRINT, FUSED
from tests.e2e.retail import bits
from tests.faults.expected import texts
from tests.faults.readers import READERS

POLL_SECONDS = 0.05  # FAULTS.md's


class View(NamedTuple):
    """What one reader saw at one moment."""

    rows: int
    keys: frozenset[str | None]
    digest: str
    """sha256 over the rows' keys, fingerprints and fused vectors, sorted by key."""


@dataclass
class Watcher:
    """What was seen of one date, so far."""

    out: Path
    date: str
    before: View | None = None
    """What stood when watching began; None where nothing could be read."""
    seen: dict[View, str] = field(default_factory=dict)
    """View -> the first reader that saw it."""
    polls: Counter[str] = field(default_factory=Counter)
    """Reader -> successful reads."""
    loud: Counter[str] = field(default_factory=Counter)
    """Reader -> reads that raised, as they may while folders change places."""
    errors: dict[str, str] = field(default_factory=dict)
    """Reader -> the last error."""

    def poll(self) -> None:
        """Let every reader look once."""
        for name in READERS:
            view = self.look(name)
            if view is not None:
                self.seen.setdefault(view, name)

    def look(self, name: str) -> View | None:
        """What one reader sees now, or None when it says that it cannot."""
        try:
            view = view_of(READERS[name](self.out, self.date, None))
        except Exception as error:  # noqa: BLE001  # whatever a reader raises is loud, and loud is allowed
            self.loud[name] += 1
            self.errors[name] = f"{type(error).__name__}: {error}"
            return None
        self.polls[name] += 1
        return view

    def check(self) -> None:
        """Compare all that was seen with what stood before and what stands now.

        Raises:
            AssertionError: something else was seen, or a reader cannot read what stands now.
        """
        if self.before is None and self.look("pyarrow.dataset") is None:
            assert not self.seen, "V8: nothing stood before and nothing stands now; got rows in between"
            return
        after = {name: self.look(name) for name in READERS}
        allowed = {self.before, *after.values()}
        torn = {view: name for view, name in self.seen.items() if view not in allowed}
        assert not torn, f"V8: readers must see the old rows or the new; got {_mixture(torn, allowed)}"
        assert len(set(after.values())) == 1, f"V8: readers must agree in the end; got {_told(after)}, {self.errors}"


@contextmanager
def watching(out: Path, date: str) -> Iterator[Watcher]:
    """Poll a date's readers from a thread while the block runs; at its end, fail if any saw a mixture.

    Args:
        out: the job's output folder.
        date: UTC day, YYYY-MM-DD. What stands at the block's start is the old, what stands at its end the new.
    """
    watcher = Watcher(out, date)
    watcher.before = watcher.look("pyarrow.dataset")
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            began = time.monotonic()
            watcher.poll()
            stop.wait(max(0.0, POLL_SECONDS - (time.monotonic() - began)))

    thread = threading.Thread(target=watch, name="watcher", daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        stop.set()
        thread.join()
    watcher.check()


def view_of(rows: pa.Table) -> View:
    """What is to be compared of rows; the first column is the key.

    Raises:
        ValueError: there are no columns: the files vanished while they were listed, and no program goes on with that.
    """
    if not rows.num_columns:
        raise ValueError("a published date must have columns; got none")
    key = rows.column_names[0]
    keys = texts(rows[key])
    order = sorted(range(len(keys)), key=lambda row: str(keys[row]))
    digest = hashlib.sha256("\n".join(str(keys[row]) for row in order).encode())
    for name in (FINGERPRINT, FUSED):
        if name in rows.column_names:
            for piece in bits(rows[name].take(order) if order else rows[name]):
                digest.update(piece)
    return View(len(keys), frozenset(keys), digest.hexdigest())


def _told(views: dict[str, View | None]) -> str:
    return ", ".join(f"{view.rows if view else 'no'} rows by {name}" for name, view in views.items())


def _mixture(torn: dict[View, str], allowed: set[View | None]) -> str:
    view, name = next(iter(torn.items()))
    whole = sorted(len(other.keys) for other in allowed if other)
    kinds = [f"{len(view.keys & other.keys)} keys of the one with {len(other.keys)}" for other in allowed if other]
    return f"{view.rows} rows by {name}, neither of the sets of {whole} keys: {', '.join(kinds)}"
