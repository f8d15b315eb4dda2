"""Binary values wherever tables keep them: in the column, in `{bytes, path}` structs, behind paths."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa
from pyarrow.fs import FileSystem, FileType
from pydantic import AfterValidator

from models.arrow import valid_mask
from models.errors import ConfigError, TemporaryError
from models.spec import JobPath
from transforms.modalities.base import IssueLog

REMOTE_SCHEMES = frozenset({"s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss"})  # read through pyarrow.fs
_LOCAL_SCHEMES = frozenset({"", "file"})
EXTERNAL_CODES = ("empty", "too_large", "path_not_allowed", "not_found", "not_readable")
"""Issue codes that `Resolver` may give."""
EXTERNAL_TYPES = "binary, string (paths or URIs) or struct<bytes: binary, path: string>"

LONGEST_PATH = 4096
"""Bytes; Linux's PATH_MAX, and four times what object stores allow for a key."""

# What the system says when a *value* names something that is not there; other errors are the storage's fault.
_NO_SUCH_FILE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EINVAL}
)
_NOT_READABLE = frozenset({errno.EACCES, errno.EPERM})

_OFFSETS = {
    **dict.fromkeys((pa.binary().id, pa.string().id), np.int32),
    **dict.fromkeys((pa.large_binary().id, pa.large_string().id), np.int64),
}

OpenFilesystem: TypeAlias = Callable[[str], tuple[FileSystem, str]]
"""URI of a root -> its file system and the root's path in it."""


def _known_roots(roots: tuple[str, ...]) -> tuple[str, ...]:
    for root in roots:
        if not root or _scheme(root) not in _LOCAL_SCHEMES | REMOTE_SCHEMES:
            known = ", ".join(f"{name}://" for name in sorted({"file", *REMOTE_SCHEMES}))
            raise ValueError(f"an allowed root must be a folder or a URI of {known}; got {root!r}")
        if _scheme(root) in _LOCAL_SCHEMES:
            _local_path(root)
    return roots


AllowedRoots = Annotated[tuple[JobPath, ...], AfterValidator(_known_roots)]
"""Folders and URIs under which values may be read by path; none allows no path at all."""


class Refused(Exception):
    """Carries an issue code to the row's loop; and never leaves its cleaner."""

    def __init__(self, code: str) -> None:
        self.code = code


class Resolver:
    """Hands out each row's bytes, one at a time, reading files only under allowed places and up to a size.

    Issue codes: `empty` (no bytes), `too_large` (over `max_bytes`; files are measured before they are read),
    `path_not_allowed` (`http(s)://`, longer than LONGEST_PATH, or outside the roots once `..` and symbolic links are
    followed), `not_found`, `not_readable` (permission). A relative path is looked for under each root in turn.
    """

    def __init__(
        self,
        allowed_roots: Sequence[str],
        max_bytes: int,
        open_filesystem: OpenFilesystem = FileSystem.from_uri,
    ) -> None:
        self.max_bytes = max_bytes
        self._local_roots = [_local_path(root) for root in allowed_roots if _scheme(root) in _LOCAL_SCHEMES]
        self._remote_roots = [_without_query(root) for root in allowed_roots if _scheme(root) in REMOTE_SCHEMES]
        self._root_uris = {_without_query(root): root for root in allowed_roots}
        self._open_filesystem = open_filesystem
        self._filesystems: dict[str, tuple[FileSystem, str]] = {}

    def __call__(self, values: pa.Array, log: IssueLog) -> Iterator[memoryview | None]:
        """Yield each row's bytes, or None for a null row and for a row that `log` then holds an issue of.

        Args:
            values: what `gather_external` returns.
            log: as long as `values`; complete once the iterator is exhausted.

        Raises:
            TemporaryError: the storage (not the value) failed.
            ConfigError: an allowed root's file system cannot be opened.
        """
        inline, paths = map(_cells, _bytes_and_paths(values))
        for row in range(len(values)):
            try:
                content = self._content(inline(row), paths(row))
            except Refused as refused:
                log.add(refused.code, row)
                content = None
            yield content

    def _content(self, inline: pa.Buffer | None, path: pa.Buffer | None) -> memoryview | None:
        if inline is None and path is None:
            return None
        content = memoryview(self._read(path) if inline is None else inline)
        if len(content) == 0:
            raise Refused("empty")
        if len(content) > self.max_bytes:
            raise Refused("too_large")
        return content

    def _read(self, raw: pa.Buffer) -> bytes:
        refused = Refused("path_not_allowed" if raw.size else "empty")
        if raw.size > LONGEST_PATH:  # taking a path of a megabyte apart takes seconds
            raise refused
        for location in self._candidates(raw.to_pybytes().decode(errors="replace")):
            try:
                return self._read_one(location)
            except Refused as error:
                refused = error
        raise refused

    def _candidates(self, location: str) -> list[str]:
        if not location or _scheme(location) or Path(location).is_absolute():
            return [location] if location else []
        local = [str(root / location) for root in self._local_roots]
        return [*local, *(f"{root}/{location}" for root in self._remote_roots)]

    def _read_one(self, location: str) -> bytes:
        if _scheme(location) in _LOCAL_SCHEMES:
            return self._read_local(location)
        for root in self._remote_roots:
            if location.startswith(f"{root}/"):
                return self._read_remote(root, location.removeprefix(f"{root}/"))
        raise Refused("path_not_allowed")

    def _read_local(self, location: str) -> bytes:
        # Roots are resolved with every value: a root may be a link, and may be exchanged during a run.
        try:
            real = _local_path(location).resolve()
            inside = any(real.is_relative_to(root.resolve()) for root in self._local_roots)
        except (OSError, RuntimeError, ValueError):  # a name too long, a loop of links, a NUL, another host
            raise Refused("path_not_allowed") from None
        if not inside:
            raise Refused("path_not_allowed")
        with _storage_errors(real):
            return _read_regular_file(real, self.max_bytes)

    def _read_remote(self, root: str, key: str) -> bytes:
        # The file system comes from the root alone: a value's `?endpoint_override=` is but part of a name.
        if any(part in ("", ".", "..") for part in key.split("/")):
            raise Refused("path_not_allowed")
        filesystem, base = self._filesystem(root)
        path = f"{base.rstrip('/')}/{key}"
        with _storage_errors(f"{root}/{key}"):
            info = filesystem.get_file_info(path)
            if info.type != FileType.File:
                raise Refused("not_found")
            if info.size is not None and info.size > self.max_bytes:
                raise Refused("too_large")
            with filesystem.open_input_stream(path) as stream:
                content: bytes = stream.read(self.max_bytes + 1)
                return content

    def _filesystem(self, root: str) -> tuple[FileSystem, str]:
        if root not in self._filesystems:
            try:
                self._filesystems[root] = self._open_filesystem(self._root_uris[root])
            except (OSError, pa.ArrowException) as error:
                raise ConfigError(f"the allowed root {root!r} cannot be opened: {error}") from error
        return self._filesystems[root]


def check_external(schema: pa.Schema, column: str) -> list[str]:
    """One sentence when `column` is missing from `schema` or is of a type that `Resolver` cannot read."""
    index = schema.get_field_index(column)
    if index < 0:
        return [f"column {column!r} must be {EXTERNAL_TYPES}; got no such column in {schema.names}"]
    found = schema.field(index).type
    return [] if _readable(found) else [f"column {column!r} must be {EXTERNAL_TYPES}; got {found}"]


def gather_external(batch: pa.RecordBatch, column: str) -> pa.Array:
    """The column as `Resolver` takes it, without I/O; a `{bytes, path}` struct of two nulls is made null."""
    values = batch.column(column)
    if not pa.types.is_struct(values.type):
        return values
    absent = np.ones(len(values), dtype=np.bool_)
    for part in _bytes_and_paths(values):
        absent &= part is None or ~valid_mask(part)
    # The children are handed on as they are: `if_else` would copy every image.
    return pa.StructArray.from_arrays(values.flatten(), fields=list(values.type), mask=pa.array(absent))


def _bytes_and_paths(values: pa.Array) -> tuple[pa.Array | None, pa.Array | None]:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_struct(values.type):
        named = zip([field.name for field in values.type], values.flatten(), strict=True)
        parts = {name: part for name, part in named if not pa.types.is_null(part.type)}
        return parts.get("bytes"), parts.get("path")
    if pa.types.is_null(values.type):
        return None, None
    return (None, values) if _is_text(values.type) else (values, None)


def _cells(values: pa.Array | None) -> Callable[[int], pa.Buffer | None]:
    """Row -> its bytes, None where null; without a copy where offsets say where they lie (a scalar would copy them)."""
    if values is None:
        return lambda _row: None
    width = _OFFSETS.get(values.type.id)
    if width is None:
        return lambda row: values[row].as_buffer()
    _, offsets, data = values.buffers()
    if data is None:  # nothing but nulls and empty values
        data = pa.py_buffer(b"")
    bounds = np.frombuffer(offsets or bytes(8), width)[values.offset : values.offset + len(values) + 1]
    valid = valid_mask(values)
    return lambda row: data.slice(bounds[row], bounds[row + 1] - bounds[row]) if valid[row] else None


def _read_regular_file(path: Path, max_bytes: int) -> bytes:
    # O_NONBLOCK: opening a named pipe must not wait for its writer. O_NOFOLLOW: the path is resolved already.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("not_found")
        if status.st_size > max_bytes:
            raise Refused("too_large")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(max_bytes + 1)  # it may have grown since
    finally:
        os.close(descriptor)


@contextmanager
def _storage_errors(location: object) -> Iterator[None]:
    """Turn what the system says of a value's place into an issue code, a failing storage into an error."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SUCH_FILE:
            raise Refused("not_found") from None
        if error.errno in _NOT_READABLE or "ACCESS_DENIED" in str(error):  # pyarrow's S3 errors carry no errno
            raise Refused("not_readable") from None
        raise TemporaryError(f"{location} cannot be read: {error}; run the command again") from error


def _readable(found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        return _is_bytes(found.value_type) or _is_text(found.value_type)
    if pa.types.is_struct(found):
        parts = {field.name: field.type for field in found if field.name in ("bytes", "path")}
        allowed = {"bytes": _is_bytes, "path": _is_text}
        return bool(parts) and all(allowed[k](v) or pa.types.is_null(v) for k, v in parts.items())
    return pa.types.is_null(found) or _is_bytes(found) or _is_text(found)


def _is_bytes(found: pa.DataType) -> bool:
    checks = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(check(found) for check in checks)


def _is_text(found: pa.DataType) -> bool:
    return any(check(found) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _scheme(location: str) -> str:
    head, separator, _ = location.partition("://")
    return head.lower() if separator else ""


def _without_query(uri: str) -> str:
    return uri.partition("?")[0].rstrip("/")


def _local_path(location: str) -> Path:
    if not _scheme(location):
        return Path(location)
    parts = urlsplit(location)
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"a file:// URI must name this machine; got {location!r}")
    return Path(unquote(parts.path))
