"""From files to units, planned from Parquet footers alone; unit ids depend on nothing but the input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from transforms import schemas
from transforms.footers import InputFile, read_footers, without_checksums
from transforms.locations import list_files


@dataclass(frozen=True)
class Rows:
    """Some rows of one row group: `rows` of them from `skip` on; `first` is that row's number in the file."""

    row_group: int
    first: int
    skip: int
    rows: int


@dataclass(frozen=True)
class Unit:
    """What is processed, retried, resumed and counted as one: a slice of row groups of one file."""

    id: str
    """`<ordinal>-<hash>`; sorts in input order."""
    uri: str
    """Where to open the file (see `transforms.locations.filesystem`)."""
    name: str
    """The file's path below the input folder, for people."""
    slices: tuple[Rows, ...]
    bytes: int
    """Uncompressed bytes, by the footer."""
    footer: str
    """sha256 of the file's footer, by which it was planned: a file that has another one meanwhile is not read."""

    @property
    def rows(self) -> int:
        """Rows in this unit."""
        return sum(s.rows for s in self.slices)


@dataclass(frozen=True)
class InputPlan:
    """All that is known about a date's input before any row is read."""

    files: tuple[InputFile, ...]
    units: tuple[Unit, ...]
    schema: pa.Schema
    unreadable: dict[str, str]
    """File name -> why its footer cannot be read."""
    refused: dict[str, str]
    """File name -> why its schema cannot be used."""
    unverified: tuple[str, ...]
    """Names of the files whose pages carry no checksums: damage that still decodes cannot be seen in them."""
    fingerprint: str

    @property
    def digests(self) -> dict[str, dict[str, str | int]]:
        """File name -> size, sha256 of the footer, rows: what the manifest records of the input."""
        return {f.name: {"size": f.size, "footer_sha256": f.footer, "rows": f.rows} for f in self.files}

    @property
    def rows(self) -> int:
        """Rows in all units."""
        return sum(unit.rows for unit in self.units)

    @property
    def bytes(self) -> int:
        """Uncompressed bytes in all units."""
        return sum(unit.bytes for unit in self.units)


def plan_input(location: str, required: Sequence[str], unit_rows: int, unit_bytes: int) -> InputPlan:
    """Files, schema and units of an input location, from footers alone.

    Args:
        location: file, folder or glob; local path or URI.
        required: columns that the job reads.
        unit_rows: most rows of a unit.
        unit_bytes: most uncompressed bytes of a unit (one row group's share may exceed it by less than a row).

    Raises:
        NoInput: no file there.
        PermissionRefused, StorageAway: the storage refuses or does not answer.
        TemporaryError: the child process that parses footers cannot be started.
        ConfigError: the location is of no kind that can be read.
    """
    found = list_files(location)
    footers = list(read_footers(found))
    unreadable = {name: f for (_, name), f in zip(found, footers, strict=True) if isinstance(f, str)}
    files = [f for f in footers if isinstance(f, InputFile)]
    schema, refused = schemas.unify(((f.name, f.schema) for f in files), required)
    good = tuple(f for f in files if f.name not in refused)
    identity = "\n".join(f"{f.name} {f.size} {f.footer}" for f in files)
    lost = "\n".join(f"{name} unreadable" for name in unreadable)
    fingerprint = hashlib.sha256(f"{identity}\n{lost}".encode()).hexdigest()
    units = cut_units(good, unit_rows, unit_bytes)
    return InputPlan(good, units, schema, unreadable, refused, without_checksums(good), fingerprint)


def cut_units(files: Iterable[InputFile], unit_rows: int, unit_bytes: int) -> tuple[Unit, ...]:
    """The files' rows as units, in order; see `plan_input`."""
    return tuple(_number(_cut(files, unit_rows, unit_bytes)))


def _cut(files: Iterable[InputFile], unit_rows: int, unit_bytes: int) -> Iterator[tuple[InputFile, list[Rows], int]]:
    for file in files:
        pending: list[Rows] = []
        rows = size = first = 0
        for index, (group_rows, group_bytes) in enumerate(file.row_groups):
            if pending and (rows + group_rows > unit_rows or size + group_bytes > unit_bytes):
                yield file, pending, size
                pending, rows, size = [], 0, 0
            pieces = max(1, -(-group_rows // unit_rows), min(group_rows, -(-group_bytes // unit_bytes)))
            bounds = [group_rows * i // pieces for i in range(pieces + 1)]
            for start, stop in pairwise(bounds):
                piece = Rows(index, first + start, start, stop - start)
                if pieces > 1:
                    yield file, [piece], group_bytes // pieces
                elif stop > start:
                    pending.append(piece)
                    rows, size = rows + group_rows, size + group_bytes
            first += group_rows
        if pending:
            yield file, pending, size


def _number(cuts: Iterable[tuple[InputFile, list[Rows], int]]) -> Iterator[Unit]:
    for ordinal, (file, slices, size) in enumerate(cuts):
        text = f"{file.name}|{file.size}|{file.footer}|{slices[0].first}|{sum(s.rows for s in slices)}"
        name = f"{ordinal:06d}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        yield Unit(name, file.uri, file.name, tuple(slices), size, file.footer)
