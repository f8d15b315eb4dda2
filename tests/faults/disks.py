"""Disks that are small, full or read-only: real file systems where this machine lets us mount one, else injected."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol, TypeVar

import pytest

from tests.transforms.sinks.systems import Wrapping
from transforms.sinks import storage
from transforms.sinks.preflight import free_bytes

T = TypeVar("T")

_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
"""A user namespace of one's own, in which everybody may mount (Linux >= 4.11, where it is not forbidden)."""


@dataclass(frozen=True)
class Disk:
    """A mounted file system."""

    path: Path
    """Where to reach it."""
    _holder: subprocess.Popen[str]

    def make_read_only(self) -> None:
        """As an operator, or a kernel that met errors, remounts it."""
        assert self._holder.stdin is not None
        self._holder.stdin.write("go on\n")
        self._holder.stdin.flush()
        assert _answers(self._holder, "read-only")


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Disk | None]:
    """A tmpfs of `size` bytes, gone with the block; None where mounting is forbidden (in most containers).

    It is mounted over `folder` in a process with mounts of its own, and reached through /proc/<pid>/root: nobody else
    sees it, and nothing is left behind, however a test ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = (
        f"mount -t tmpfs -o size={size},mode=777 none '{folder}' && echo mounted && read command"
        f" && mount -o remount,ro '{folder}' && echo read-only && read command"
    )
    pipe = subprocess.PIPE
    command = [*_UNSHARE, "sh", "-c", script]
    try:
        holder = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:  # no util-linux
        yield None
        return
    try:
        disk = Disk(Path(f"/proc/{holder.pid}/root{folder}"), holder)
        yield disk if _answers(holder, "mounted") else None
    finally:
        holder.communicate(timeout=30)  # `read` meets the end of its input


def _answers(holder: subprocess.Popen[str], word: str) -> bool:
    assert holder.stdout is not None
    return holder.stdout.readline() == f"{word}\n"


class Small(Protocol):
    """A disk that can be made full, and have its space back."""

    path: Path

    def fill(self, leave: int) -> None:
        """Take up all of its space but `leave` bytes."""
        ...

    def free(self) -> None:
        """Give the space back."""
        ...


class RealSmall:
    """A mounted one; a file takes up its space."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, leave: int) -> None:
        """Write until no more than `leave` bytes are free."""
        with (self.path / "filler").open("ab", buffering=0) as file, suppress(OSError):  # until there is no space left
            while (free := free_bytes(self.path)) > leave:
                file.write(bytes(min(free - leave, 1 << 16)))

    def free(self) -> None:
        """Remove the file."""
        (self.path / "filler").unlink(missing_ok=True)


class InjectedSmall:
    """A folder of a large disk, which refuses more bytes from this process than are left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._patch = pytest.MonkeyPatch()

    def fill(self, leave: int) -> None:
        """Let so many bytes pass, and say so to those who ask how many are free."""
        system = Refusing(errno.ENOSPC, allowed=leave)
        self._patch.setattr(storage, "SYSTEM", system)
        self._patch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=system.allowed))

    def free(self) -> None:
        """Let all pass."""
        self._patch.undo()


@contextmanager
def small_disk(folder: Path, size: int, *, mount: bool = True) -> Iterator[Small]:
    """A real disk of `size` bytes where one can be mounted, and should be; else an injected one."""
    with mounted(folder, size) if mount else nullcontext() as disk:
        small: Small = RealSmall(disk.path) if disk else InjectedSmall(folder)
        try:
            yield small
        finally:
            if isinstance(small, InjectedSmall):
                small.free()


class Refusing(Wrapping):
    """The operating system, which after so many bytes refuses to write more.

    Args:
        code: `errno` of the refusal.
        allowed: bytes that may still be written.
        names: whether new names are refused too, as on a read-only file system; a full one still takes some.
    """

    def __init__(self, code: int, allowed: int = 0, *, names: bool = False) -> None:
        super().__init__()
        self.refused = 0
        """Calls refused."""
        self.allowed = allowed
        """Bytes that may still be written."""
        self._code = code
        self._names = names

    def pwrite(self, handle: int, data: memoryview, offset: int) -> int:
        if not self.allowed:
            self._refuse()
        written = super().pwrite(handle, data[: self.allowed], offset)
        self.allowed -= written
        return written

    def around(self, name: str, call: Callable[[], T], path: Path | None) -> T:
        if self._names and not self.allowed and path is not None and not (name == "mkdir" and path.is_dir()):
            self._refuse()
        return call()

    def _refuse(self) -> None:
        self.refused += 1
        raise OSError(self._code, os.strerror(self._code))
