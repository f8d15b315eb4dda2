"""From files to units, planned from Parquet footers alone; unit ids depend on nothing but the input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from models.errors import NoInput, PermissionRefused, TemporaryError
from transforms import schemas

_FOOTER_THREADS = 16  # footers are small reads, so latency decides on object stores
_MAGIC = (b"PAR1", b"PARE")  # plain and encrypted footers, Parquet format specification
_FOOTER_LIMIT = 64 << 20  # a footer is some KB per row group; more is an attack or a broken length


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
    """Where to open the file (see `filesystem`)."""
    name: str
    """The file's path below the input folder, for people."""
    slices: tuple[Rows, ...]
    bytes: int
    """Uncompressed bytes, by the footer."""

    @property
    def rows(self) -> int:
        """Rows in this unit."""
        return sum(s.rows for s in self.slices)


@dataclass(frozen=True)
class InputFile:
    """One input file as its footer describes it."""

    uri: str
    name: str
    size: int
    footer: str
    """sha256 of the footer: changes with every rewrite of the file."""
    schema: pa.Schema
    row_groups: tuple[tuple[int, int], ...]
    """(rows, uncompressed bytes) of each row group."""

    @property
    def rows(self) -> int:
        """Rows in this file."""
        return sum(rows for rows, _ in self.row_groups)


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
    fingerprint: str

    @property
    def rows(self) -> int:
        """Rows in all units."""
        return sum(unit.rows for unit in self.units)

    @property
    def bytes(self) -> int:
        """Uncompressed bytes in all units."""
        return sum(unit.bytes for unit in self.units)


def filesystem(uri: str) -> tuple[pafs.FileSystem, str]:
    """File system and path of a local path or a URI (`s3://`, `gs://`, `hdfs://`)."""
    if "://" in uri:
        fs, path = pafs.FileSystem.from_uri(uri)
        return fs, path
    return pafs.LocalFileSystem(), uri


def list_files(location: str) -> list[tuple[str, str]]:
    """(uri, name) of every Parquet file of a file, folder or glob, sorted by name.

    Files and folders whose names start with `_` or `.` are left out, as every Parquet reader does.

    Raises:
        NoInput: nothing there.
        PermissionRefused: the location may not be listed.
        TemporaryError: the storage did not answer.
    """
    fs, path = filesystem(location)
    scheme = location[: location.index("://") + 3] if "://" in location else ""
    wildcard = next((i for i, c in enumerate(path) if c in "*?["), None)
    base = path if wildcard is None else path[:wildcard].rpartition("/")[0] or ("/" if path.startswith("/") else ".")
    try:
        info = fs.get_file_info(base)
        if info.type == pafs.FileType.NotFound:
            raise NoInput(f"input.path must name files; got nothing at {location}")
        found = [info] if info.is_file else fs.get_file_info(pafs.FileSelector(base, recursive=True))
    except PermissionError as error:
        raise PermissionRefused(f"{location} must be readable; got {error}") from error
    except OSError as error:
        raise TemporaryError(f"{location} must answer; got {error}") from error
    root = base.rpartition("/")[0] if info.is_file else base
    names = [(f.path, f.path[len(root) :].lstrip("/")) for f in found if f.is_file]
    chosen = [(p, n) for p, n in names if _wanted(p, n, path if wildcard is not None else None)]
    if not chosen:
        raise NoInput(f"input.path must name Parquet files; got none at {location}")
    prefix = "" if not scheme else scheme if not location.startswith("file://") else "file://"
    return sorted(((prefix + p, n) for p, n in chosen), key=lambda item: item[1])


def _wanted(path: str, name: str, pattern: str | None) -> bool:
    hidden = any(part.startswith(("_", ".")) for part in name.split("/"))
    if pattern is not None:
        return not hidden and _matches(path.split("/"), pattern.split("/"))
    return not hidden and (name.endswith((".parquet", ".parq")) or ("/" not in name and "." not in name))


def _matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_matches(parts[i:], patterns[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def read_footer(uri: str, name: str) -> InputFile | str:
    """The file as its footer describes it, or one sentence that says why it cannot be read."""
    fs, path = filesystem(uri)
    try:
        with fs.open_input_file(path) as file:
            size = file.size()
            if size < 12:
                return f"a Parquet file must have a footer; got {size} bytes"
            tail = file.read_at(8, size - 8)
            length = int.from_bytes(tail[:4], "little")
            if tail[4:] not in _MAGIC or length > min(size - 8, _FOOTER_LIMIT):
                return "a Parquet file must end with a footer; got something else (truncated?)"
            footer = hashlib.sha256(file.read_at(length + 8, size - 8 - length)).hexdigest()
            parquet = pq.ParquetFile(file)
            groups = [parquet.metadata.row_group(i) for i in range(parquet.metadata.num_row_groups)]
            sizes = tuple((g.num_rows, g.total_byte_size) for g in groups)
            return InputFile(uri, name, size, footer, parquet.schema_arrow, sizes)
    except (OSError, pa.ArrowException) as error:
        return f"a Parquet footer must be readable; got {str(error).strip().splitlines()[0]}"


def plan_input(location: str, required: Sequence[str], unit_rows: int, unit_bytes: int) -> InputPlan:
    """Files, schema and units of an input location, from footers alone.

    Args:
        location: file, folder or glob; local path or URI.
        required: columns that the job reads.
        unit_rows: most rows of a unit.
        unit_bytes: most uncompressed bytes of a unit (one row group's share may exceed it by less than a row).
    """
    found = list_files(location)
    with ThreadPoolExecutor(_FOOTER_THREADS) as pool:
        footers = list(pool.map(lambda item: read_footer(*item), found))
    unreadable = {name: f for (_, name), f in zip(found, footers, strict=True) if isinstance(f, str)}
    files = [f for f in footers if isinstance(f, InputFile)]
    schema, refused = schemas.unify(((f.name, f.schema) for f in files), required)
    good = tuple(f for f in files if f.name not in refused)
    identity = "\n".join(f"{f.name} {f.size} {f.footer}" for f in files)
    lost = "\n".join(f"{name} unreadable" for name in unreadable)
    fingerprint = hashlib.sha256(f"{identity}\n{lost}".encode()).hexdigest()
    units = tuple(_number(_cut(good, unit_rows, unit_bytes)))
    return InputPlan(good, units, schema, unreadable, refused, fingerprint)


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
        yield Unit(name, file.uri, file.name, tuple(slices), size)
