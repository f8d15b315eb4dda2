"""Operating systems with faults, for `transforms.sinks.storage.SYSTEM`: no exchange, lost answers, calls that fail."""

from __future__ import annotations

import errno
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from transforms.sinks.storage import System

T = TypeVar("T")


class WithoutExchange(System):
    """A file system that cannot exchange folders, as NFS cannot."""

    def exchange(self, one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(one), None, str(other))


class WithoutLinks(WithoutExchange):
    """One that knows no symbolic links either, as FAT behind some drivers."""

    def symlink(self, text: str, target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(target))


class Wrapping(System):
    """Passes every call on through `around`, which may fail before it or after."""

    def __init__(self, inner: System | None = None) -> None:
        self._inner = inner or System()

    def around(self, name: str, call: Callable[[], T], path: Path | None) -> T:
        """What the call gives; `path` is what it changes, where it names it."""
        return call()

    def open(self, path: Path) -> int:
        return self.around("open", lambda: self._inner.open(path), path)

    def pwrite(self, handle: int, data: memoryview, offset: int) -> int:
        return self.around("pwrite", lambda: self._inner.pwrite(handle, data, offset), None)

    def fsync(self, handle: int) -> None:
        self.around("fsync", lambda: self._inner.fsync(handle), None)

    def mkdir(self, path: Path) -> None:
        self.around("mkdir", lambda: self._inner.mkdir(path), path)

    def rename(self, source: Path, target: Path) -> None:
        self.around("rename", lambda: self._inner.rename(source, target), target)

    def exchange(self, one: Path, other: Path) -> None:
        self.around("exchange", lambda: self._inner.exchange(one, other), other)

    def link(self, source: Path, target: Path) -> None:
        self.around("link", lambda: self._inner.link(source, target), target)

    def symlink(self, text: str, target: Path) -> None:
        self.around("symlink", lambda: self._inner.symlink(text, target), target)

    def unlink(self, path: Path) -> None:
        self.around("unlink", lambda: self._inner.unlink(path), path)


class Flaky(Wrapping):
    """Of the calls named, a fraction fails: half of these before they acted, half after.

    Args:
        fraction: of the calls.
        calls: names of System's methods.
        seed: the same seed fails the same calls.
        inner: the system behind.
    """

    CODES = (errno.EIO, errno.ETIMEDOUT, errno.ESTALE, errno.EAGAIN, errno.ECONNRESET)

    def __init__(self, fraction: float, calls: frozenset[str], seed: int = 0, inner: System | None = None) -> None:
        super().__init__(inner)
        self.failed: Counter[str] = Counter()
        """Calls that failed, by name."""
        self._fraction = fraction
        self._calls = calls
        self._random = random.Random(seed)  # chance, not secrecy

    def around(self, name: str, call: Callable[[], T], path: Path | None) -> T:
        if name not in self._calls or self._random.random() >= self._fraction:
            return call()
        self.failed[name] += 1
        if self._random.random() < 0.5:
            call()
        code = self._random.choice(self.CODES)
        raise OSError(code, os.strerror(code), str(path))


class LosesAnswers(Wrapping):
    """Acts on a call that changes a path for which `where` is true, and then says that it did not.

    Args:
        code: the error that is given instead of an answer.
        where: which paths.
        acts: whether it acts at all.
        inner: the system behind.
    """

    def __init__(
        self, code: int, where: Callable[[Path], bool], acts: bool = True, inner: System | None = None
    ) -> None:
        super().__init__(inner)
        self.lost = 0
        """Answers lost."""
        self._code = code
        self._where = where
        self._acts = acts

    def around(self, name: str, call: Callable[[], T], path: Path | None) -> T:
        if path is None or not self._where(path):
            return call()
        self.lost += 1
        if self._acts:
            call()
        raise OSError(self._code, os.strerror(self._code), str(path))
