"""What the input files hold, read with plain pyarrow: the keys, row by row, that a run must account for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

NO_KEY = None
"""Stands for a key that cannot be used: null or empty."""


@dataclass
class Expected:
    """The rows of a night's input."""

    keys: Counter[str | None] = field(default_factory=Counter)
    """How often each key stands in the row groups that can be read."""
    places: dict[str | None, list[int]] = field(default_factory=dict)
    """Key -> numbers, in their files, of the rows that have it."""
    unreadable: Counter[int] = field(default_factory=Counter)
    """Numbers, in their files, of the rows whose key cannot be read."""
    files_left_out: set[str] = field(default_factory=set)
    """Files without a readable footer, and those that the caller expects to be refused."""
    groups: list[tuple[Path, int, range]] = field(default_factory=list)
    """(file, row group, numbers of its rows) of every row group whose keys can be read."""

    @property
    def rows(self) -> int:
        """All rows that can be counted."""
        return self.keys.total() + self.unreadable.total()

    def damaged(self) -> Counter[int]:
        """Numbers of the rows whose key can be read, but not all of their row group's columns."""
        return Counter(number for path, group, rows in self.groups if not _is_readable(path, group) for number in rows)


def expected(inputs: Path, key: str, refused: Collection[str] = ()) -> Expected:
    """Read the keys of a file, or of every Parquet file below a folder, row group by row group.

    Args:
        inputs: file or folder.
        key: the key's column; where a file lacks it, its rows have no key.
        refused: names of files below the folder that a run leaves out; they are not opened.
    """
    found = Expected(files_left_out=set(refused))
    for path in _files(inputs):
        name = str(path.relative_to(inputs)) if inputs.is_dir() else path.name
        if name in refused:
            continue
        try:
            file = pq.ParquetFile(path, page_checksum_verification=True)
        except (OSError, pa.ArrowException):
            found.files_left_out.add(name)
            continue
        with file:
            _add_file(found, path, file, key)
    return found


def _files(inputs: Path) -> Iterator[Path]:
    yield from sorted(inputs.rglob("*.parquet")) if inputs.is_dir() else [inputs]


def _add_file(found: Expected, path: Path, file: pq.ParquetFile, key: str) -> None:
    first = 0
    for group in range(file.metadata.num_row_groups):
        numbers = range(first, first + file.metadata.row_group(group).num_rows)
        first = numbers.stop
        try:
            keys = _read_keys(file, group, key)
        except (OSError, pa.ArrowException):
            found.unreadable.update(numbers)
            continue
        found.groups.append((path, group, numbers))
        found.keys.update(keys)
        for number, value in zip(numbers, keys, strict=True):
            found.places.setdefault(value, []).append(number)


def _is_readable(path: Path, group: int) -> bool:
    try:
        pq.ParquetFile(path, page_checksum_verification=True).read_row_group(group)
    except (OSError, pa.ArrowException):
        return False
    return True


def _read_keys(file: pq.ParquetFile, group: int, key: str) -> list[str | None]:
    if key not in file.schema_arrow.names:
        return [NO_KEY] * file.metadata.row_group(group).num_rows
    return texts(file.read_row_group(group, columns=[key])[key])


def texts(column: pa.ChunkedArray) -> list[str | None]:
    """Keys of any type as texts that can be compared: bytes in hex, what is not UTF-8 with U+FFFD, empty as None."""
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pt.is_binary(column.type) or pt.is_large_binary(column.type):
        return [value.hex() or NO_KEY if value is not None else NO_KEY for value in column.to_pylist()]
    if not (pt.is_string(column.type) or pt.is_large_string(column.type)):
        column = column.cast(pa.string())
    raw = column.cast(pa.large_binary() if pt.is_large_string(column.type) else pa.binary()).to_pylist()
    return [value.decode(errors="replace") or NO_KEY if value is not None else NO_KEY for value in raw]
