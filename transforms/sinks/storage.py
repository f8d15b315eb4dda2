"""The few calls that change storage: each repeated where that is safe, and looked up where its answer was lost.

A file server may act on a request and its answer get lost on the way. So after an error, `rename` and `exchange` look
what stands: where it is what they were to bring about, they are done.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from transforms.sinks.exchange import exchange as exchange_folders
from transforms.sinks.retry import Patience

_LOG = logging.getLogger(__name__)


class System:
    """The operating system's own calls: the one seam at which faults can be injected."""

    def open(self, path: Path) -> int:
        """A descriptor of a new or emptied file, to write and to read back."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)

    def pwrite(self, handle: int, data: memoryview, offset: int) -> int:
        """See pwrite(2)."""
        return os.pwrite(handle, data, offset)

    def fsync(self, handle: int) -> None:
        """See fsync(2)."""
        os.fsync(handle)

    def mkdir(self, path: Path) -> None:
        """A folder and those above it, unless they are there."""
        path.mkdir(parents=True, exist_ok=True)

    def rename(self, source: Path, target: Path) -> None:
        """See rename(2)."""
        source.replace(target)

    def exchange(self, one: Path, other: Path) -> None:
        """See `transforms.sinks.exchange`."""
        exchange_folders(one, other)

    def link(self, source: Path, target: Path) -> None:
        """See link(2)."""
        target.hardlink_to(source)

    def symlink(self, text: str, target: Path) -> None:
        """See symlink(2)."""
        target.symlink_to(text)

    def unlink(self, path: Path) -> None:
        """See unlink(2)."""
        path.unlink()


SYSTEM = System()
PATIENCE = Patience()


def open_new(path: Path) -> int:
    """A descriptor of a file whose name nobody else uses."""
    return PATIENCE(lambda: SYSTEM.open(path), path)


def write_at(handle: int, data: memoryview, offset: int, path: Path) -> None:
    """All of the bytes at their place; a repeat writes the same bytes to the same place."""
    while data:
        written = PATIENCE(partial(SYSTEM.pwrite, handle, data, offset), path)
        data, offset = data[written:], offset + written


def sync(handle: int, path: Path, again: Callable[[], None]) -> None:
    """Make a file durable.

    Args:
        handle: of the file.
        path: for messages.
        again: writes the whole content again. After a failed fsync(2), Linux takes the lost pages for clean, and the
            next one succeeds without writing them (https://lwn.net/Articles/752063/).
    """

    def attempt() -> None:
        try:
            SYSTEM.fsync(handle)
        except OSError:
            again()
            raise

    PATIENCE(attempt, path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    A repeat is safe: names go through the file system's journal, and one that cannot write its journal turns
    read-only, which is no transient error.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        PATIENCE(lambda: SYSTEM.fsync(handle), folder)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """A folder and those above it, unless they are there."""
    PATIENCE(lambda: SYSTEM.mkdir(path), path)


def remove(path: Path) -> None:
    """A file's name, if it is there."""

    def attempt() -> None:
        try:
            SYSTEM.unlink(path)
        except FileNotFoundError:
            return  # perhaps by an attempt whose answer was lost

    PATIENCE(attempt, path)


def rename(source: Path, target: Path) -> None:
    """Let what is at `source`, a name that nobody else uses, stand at `target` instead of what stands there.

    A repeat is safe, also when the first request comes through later: it finds nothing at `source` any more.
    """
    moved = identity(source)

    def attempt() -> None:
        try:
            SYSTEM.rename(source, target)
        except OSError as error:
            if moved is None or identity(target) != moved:
                raise
            _LOG.warning("%s stands, though the answer was: %s", target, error)

    PATIENCE(attempt, target)


def exchange(one: Path, other: Path) -> None:
    """Let two folders change places; never repeated, because a second time would undo the first.

    Raises:
        OSError: it has not happened, as far as can be seen.
    """
    before = identity(one), identity(other)
    try:
        SYSTEM.exchange(one, other)
    except OSError as error:
        if None in before or (identity(other), identity(one)) != before:
            raise
        _LOG.warning("%s and %s have changed places, though the answer was: %s", one, other, error)


def link(source: Path, target: Path) -> None:
    """A second name for a file, `target`, which nobody else uses."""

    def attempt() -> None:
        try:
            SYSTEM.link(source, target)
        except OSError:
            if identity(source) is None or identity(source) != identity(target):
                raise

    PATIENCE(attempt, target)


def symlink(text: str, target: Path) -> None:
    """A symbolic link at `target`, a name that nobody else uses."""

    def attempt() -> None:
        try:
            SYSTEM.symlink(text, target)
        except FileExistsError:
            if not target.is_symlink() or os.fspath(target.readlink()) != text:
                raise

    PATIENCE(attempt, target)


def identity(path: Path) -> tuple[int, int] | None:
    """What stands at a name (not what a link there leads to), told apart from everything else; None for nothing."""
    try:
        status = PATIENCE(path.lstat, path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
