"""Files that are whole or not there at all, also after a power cut; and what the operating system's refusals mean."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.errors import AmalgamError, CorruptArtifact, OutputError, PermissionRefused
from transforms.sinks import storage
from transforms.sinks.retry import away, is_transient

_ADVICE = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "raise the quota or free some space and run the same command again",
    errno.EROFS: "make the file system writable or choose another output.path",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write below `path` into errors for users.

    Raises:
        PermissionRefused: permission denied.
        StorageAway: no answer, or one that may be another in a moment.
        OutputError: disk full, read-only, and everything else.
    """
    try:
        yield
    except OSError as error:
        raise refusal(path, error) from error


def refusal(path: Path, error: OSError) -> AmalgamError:
    """The error for users that stands for the operating system's `error` while writing `path`."""
    if is_transient(error):
        return away(path, error)
    reason = os.strerror(error.errno) if error.errno else str(error)
    if isinstance(error, PermissionError):
        return PermissionRefused(f"{path} must be writable; got {reason}; grant access or choose another output.path")
    advice = _ADVICE.get(error.errno or 0, "repair this and run the same command again")
    return OutputError(f"{path} must be writable; got {reason}; {advice}")


def unique_name(name: str) -> str:
    """`name` with a suffix that nobody else uses."""
    return f"{name}.{uuid.uuid4().hex}"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that others see the old content or the new, never less, and make it durable."""
    storage.make_folder(path.parent)
    temporary = path.with_name(unique_name(f".{path.name}"))
    try:
        _write(temporary, content)
        storage.rename(temporary, path)
    except BaseException:
        storage.remove(temporary)
        raise
    storage.sync_folder(path.parent)


def _write(path: Path, content: bytes) -> None:
    handle = storage.open_new(path)

    def write() -> None:
        storage.write_at(handle, memoryview(content), 0, path)

    try:
        write()
        storage.sync(handle, path, again=write)
    finally:
        os.close(handle)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a mapping as readable JSON, atomically; the same mapping gives the same bytes."""
    write_atomically(path, json_bytes(value))


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """What `write_json` writes."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def read_json(path: Path) -> dict[str, Any]:
    """A mapping that `write_json` wrote.

    Raises:
        FileNotFoundError: there is none.
        CorruptArtifact: the file holds something else.
    """
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptArtifact(f"{path} must be JSON; got {error}") from error
    if not isinstance(value, dict):
        raise CorruptArtifact(f"{path} must hold a mapping; got {type(value).__name__}")
    return value


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
