"""What each process is at, written down beside the run, so that a process that vanished names its suspects.

A segmentation fault in a decoder takes the whole Beam process with it, and nobody is left to say which row it was. So
before a batch is worked on, its rows stand in a file per unit. Whoever takes the unit up again reads it: rows at which
a process died before are handled with care (see `transforms.trial`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from models.schema import ROW
from transforms.sinks.layout import safe_name
from transforms.sinks.owner import Owner

DEADLY = 2
"""At so many deaths rows are suspects: one may have been anybody's `kill`."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """Rows that a process is at."""

    owner: Owner
    first: int
    last: int
    """Row numbers in the input file, both inclusive."""
    deaths: int
    """How often a process died at them before."""

    def overlaps(self, first: int, last: int) -> bool:
        """Whether any of these rows is among the entry's."""
        return self.first <= last and first <= self.last


class UnitDiary:
    """One unit's page: the rows at work, and what the page said when the unit was taken up.

    Args:
        path: the page's file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner = Owner.this_process()
        self._before = read_entry(path)

    def deaths(self, batch: pa.RecordBatch) -> int:
        """How many processes died while they were at rows of this batch."""
        before = self._before
        if before is None or not before.overlaps(*_bounds(batch)):
            return 0
        # A living owner is at work elsewhere, as runners do that start a slow bundle twice. One on another machine
        # that cannot be asked counts as dead: care costs time and nothing else.
        alive = before.owner.same_machine(self._owner) and not before.owner.is_dead(self._owner)
        return before.deaths if alive else before.deaths + 1

    @contextmanager
    def at(self, batch: pa.RecordBatch) -> Iterator[None]:
        """Note that this process is at these rows. Not synced: the page must survive the process, not the machine."""
        first, last = _bounds(batch)
        self._path.write_text(json.dumps(asdict(Entry(self._owner, first, last, self.deaths(batch)))))
        yield

    def close(self) -> None:
        """The unit is done."""
        self._path.unlink(missing_ok=True)


class Diary:
    """All pages of a run.

    Args:
        folder: seen by all processes of the run and of its successors; made when it is missing.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def page(self, unit: str) -> UnitDiary:
        """The page of a unit."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return UnitDiary(self._folder / f"{safe_name(unit)}.json")


def _bounds(batch: pa.RecordBatch) -> tuple[int, int]:
    rows = batch.column(batch.schema.get_field_index(ROW))
    return rows[0].as_py(), rows[-1].as_py()


def read_entry(path: Path) -> Entry | None:
    """What a page says; None where there is none, or none that can be read."""
    try:
        value = json.loads(path.read_bytes())
        return Entry(**{**value, "owner": Owner.from_json(value["owner"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:  # its process died while it wrote these few bytes
        _LOG.warning("%s cannot be read: %s", path, error)
        return None
