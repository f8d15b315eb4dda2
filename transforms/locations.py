"""Where input lies: file systems by path or URI, and the Parquet files of a file, folder or glob."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pyarrow as pa
import pyarrow.fs as pafs

from models.errors import ConfigError, NoInput, Problem
from transforms.steady_file import SteadyFile, steadily


def filesystem(uri: str) -> tuple[pafs.FileSystem, str]:
    """File system and path of a local path or a URI (`s3://`, `gs://`, `hdfs://`)."""
    if "://" in uri:
        fs, path = pafs.FileSystem.from_uri(uri)
        return fs, path
    return pafs.LocalFileSystem(), uri


def open_file(uri: str, name: str) -> SteadyFile:
    """An input file, for reading at any place.

    Args:
        uri: path or URI.
        name: for messages.

    Raises:
        PermissionRefused, StorageAway: the storage refuses or does not answer.
    """
    fs, path = steadily(name, lambda: filesystem(uri))
    return SteadyFile(fs, path, name)


def list_files(location: str) -> list[tuple[str, str]]:
    """(uri, name) of every Parquet file of a file, folder or glob, sorted by name.

    Files and folders whose names start with `_` or `.` are left out, as every Parquet reader does.

    Raises:
        NoInput: nothing there.
        PermissionRefused: the location may not be listed.
        StorageAway: the storage did not answer.
        ConfigError: the location is of no kind that can be read.
    """
    base, pattern = _base(location)
    info, found = steadily(location, lambda: _look(location, base))
    root = base.rpartition("/")[0] if info.is_file else base
    names = [(f.path, f.path[len(root) :].lstrip("/")) for f in found if f.is_file]
    chosen = [(p, n) for p, n in names if _wanted(p, n, pattern)]
    if not chosen:
        raise NoInput(f"input.path must name Parquet files; got none at {location}")
    scheme = location[: location.index("://") + 3] if "://" in location else ""
    return sorted(((scheme + p, n) for p, n in chosen), key=lambda item: item[1])


def _base(location: str) -> tuple[str, str | None]:
    """The path of the folder or file to look at, and the glob's pattern if it is one."""
    path = steadily(location, lambda: _resolve(location)[1])
    wildcard = next((i for i, c in enumerate(path) if c in "*?["), None)
    if wildcard is None:
        return path, None
    return path[:wildcard].rpartition("/")[0] or ("/" if path.startswith("/") else "."), path


def _resolve(location: str) -> tuple[pafs.FileSystem, str]:
    try:
        return filesystem(location)
    except pa.ArrowInvalid as error:
        message = f"must be a path or a URI such as s3://bucket/folder; got {location!r}: {error}"
        raise ConfigError([Problem("input.path", message)]) from error


def _look(location: str, base: str) -> tuple[pafs.FileInfo, list[pafs.FileInfo]]:
    fs, _ = _resolve(location)
    info = fs.get_file_info(base)
    if info.type == pafs.FileType.NotFound:
        raise NoInput(f"input.path must name files; got nothing at {location}")
    return info, [info] if info.is_file else fs.get_file_info(pafs.FileSelector(base, recursive=True))


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
