"""Segment: one immutable file of embeddings, sorted by the keys of their values, and looked up where it lies on disk.

Two files make a segment: `<name>.arrow`, the index (Arrow's IPC format: keys, days, issue codes, a checksum for each
embedding), whose own checksum stands in its name; and `<name>.f32`, the embeddings, row after row, as they stand in
memory. The index is checked when it is opened and an embedding when it is recalled, so that a damaged file is never
believed; and neither is read into memory.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Bool, Float32, Int64
from models.schema import ISSUES_TYPE
from transforms.recall.keys import Keys

INDEX: Final = ".arrow"
VALUES: Final = ".f32"
_DIGEST: Final = 16  # hex digits of the index's sha256 that its name carries: against damage, not against attackers
_SCHEMA: Final = pa.schema(
    [
        pa.field("high", pa.uint64(), False),  # sorted, none twice
        pa.field("low", pa.uint64(), False),
        pa.field("day", pa.int32(), False),
        pa.field("crc", pa.uint32(), False),
        pa.field("issues", ISSUES_TYPE, False),
    ]
)

_LOG = logging.getLogger(__name__)


class Entries(NamedTuple):
    """Embeddings with all that must be known of them, row by row."""

    keys: Keys
    """`[n, 2]`."""
    days: npt.NDArray[np.int32]
    """`[n]`: when each was last asked for, in days since 1970: the date of the run, not the clock's."""
    issues: pa.Array
    """list<string>: the codes that cleaning gave the value, without its modality's name."""
    embeddings: Float32
    """`[n, dim]`."""

    def take(self, rows: Int64) -> Entries:
        """Those rows."""
        return Entries(self.keys[rows], self.days[rows], self.issues.take(pa.array(rows)), self.embeddings[rows])

    @classmethod
    def concat(cls, parts: list[Entries]) -> Entries:
        """One behind the other; at least one."""
        return cls(
            np.concatenate([part.keys for part in parts]),
            np.concatenate([part.days for part in parts]),
            pa.concat_arrays([part.issues for part in parts]),
            np.concatenate([part.embeddings for part in parts]),
        )

    def sorted(self) -> Entries:
        """By key, of each key (and each first half of one) the one of the latest day."""
        order = np.lexsort((-self.days, self.keys[:, 0]))
        high = self.keys[order, 0]
        first = np.concatenate([[True], high[1:] != high[:-1]]) if len(high) else np.zeros(0, np.bool_)
        return self.take(order[first])


class Damaged(Exception):
    """A segment is not as it was written; never leaves this package."""


def write(entries: Entries, folder: Path, name: str) -> list[Path]:
    """Write sorted entries as a segment.

    Args:
        entries: of `Entries.sorted`, at least one.
        folder: where; it exists.
        name: of the segment, without its checksum.

    Returns:
        Both files, in the order in which they must be put in place.
    """
    values = np.ascontiguousarray(entries.embeddings, np.float32)
    crc = np.fromiter((zlib.crc32(row) for row in values), np.uint32, len(values))
    columns = [pa.array(entries.keys[:, 0]), pa.array(entries.keys[:, 1]), pa.array(entries.days), pa.array(crc)]
    batch = pa.RecordBatch.from_arrays([*columns, entries.issues.cast(ISSUES_TYPE)], schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _SCHEMA) as writer:
        writer.write_batch(batch)
    index = sink.getvalue()
    stem = f"{name}-{hashlib.sha256(index).hexdigest()[:_DIGEST]}"
    files = [folder / f"{stem}{VALUES}", folder / f"{stem}{INDEX}"]
    files[0].write_bytes(values.data)
    files[1].write_bytes(index)
    return files


class Segment:
    """An open segment.

    Args:
        path: of its index.
        dim: length of its embeddings.

    Raises:
        FileNotFoundError: it was merged into another in the meantime.
        Damaged: one of its files is not as it was written.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self.path = path
        # numpy's maps, since Arrow's keep a file descriptor each, of which a process has few.
        index = pa.py_buffer(np.memmap(path, np.uint8, "r"))
        if hashlib.sha256(index).hexdigest()[:_DIGEST] != path.stem.rpartition("-")[2]:
            raise Damaged(f"{path} must hold what its name says; got something else")
        batch = pa.ipc.open_file(index).get_batch(0)
        self._high, self._low, self._day, self._crc = (batch.column(i).to_numpy() for i in range(4))
        self._issues = batch.column(4)
        self._values = np.memmap(path.with_suffix(VALUES), np.float32, "r").reshape(-1, dim)
        if len(self._values) != len(self._high):
            raise Damaged(f"{path.with_suffix(VALUES)} must hold {len(self._high)} embeddings; got {len(self._values)}")

    def __len__(self) -> int:
        return len(self._high)

    @property
    def bytes(self) -> int:
        """Of the embeddings."""
        return int(self._values.nbytes)

    def find(self, keys: Keys) -> tuple[Int64, Entries]:
        """What is here of the keys.

        Returns:
            `[k]` positions among the keys, and the k entries.
        """
        at = np.searchsorted(self._high, keys[:, 0]).clip(max=len(self) - 1)
        hits = np.flatnonzero((self._high[at] == keys[:, 0]) & (self._low[at] == keys[:, 1]))
        entries, sound = self._entries(at[hits])
        return hits[sound], entries

    def between(self, first: int, end: int) -> Entries:
        """The sound entries whose keys' first halves are at least `first` and less than `end`."""
        start, stop = (
            int(np.searchsorted(self._high, np.uint64(b))) if b < 1 << 64 else len(self) for b in (first, end)
        )
        return self._entries(np.arange(start, stop))[0]

    def _entries(self, rows: Int64) -> tuple[Entries, Bool]:
        """The rows' entries without those that are damaged, and `[k]` which are not."""
        values = self._values[rows]
        crc = np.fromiter((zlib.crc32(row) for row in values), np.uint32, len(values))
        sound: Bool = crc == self._crc[rows]
        if not sound.all():
            _LOG.warning("%s: %d embeddings are damaged and will be made again", self.path, int((~sound).sum()))
            rows, values = rows[sound], values[sound]
        keys = np.stack([self._high[rows], self._low[rows]], axis=1)
        return Entries(keys, self._day[rows], self._issues.take(pa.array(rows)), values), sound
