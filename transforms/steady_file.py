"""Reading from storage that fails now and then: calls are repeated with back-off, and what failed is told apart.

A file that cannot be *decoded* is the data's fault; one that cannot be *read* is the storage's, and must never cost
a row. pyarrow reports both as OSError. So every byte of input is read through `SteadyFile`: an error that leaves it
is the storage's and of a class of its own; whatever else pyarrow raises is what it thinks of the bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from models.errors import AmalgamError, PermissionRefused, StorageAway

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How often a call to storage is repeated, and how long is waited before each."""

    delays: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
    """Seconds. 12.7 in all, on top of what the file system's own client waits; eight tries, so that where one call
    in five fails, one in 390,000 does so every time (0.2^8)."""
    sleep: Callable[[float], None] = time.sleep


PATIENCE = Patience()


def steadily(what: str, call: Callable[[], T], patience: Patience | None = None) -> T:
    """`call()`, which only talks to storage; repeated when that fails.

    Args:
        what: path or URI, for messages.
        call: raises OSError where the storage fails.
        patience: `PATIENCE` if None.

    Raises:
        PermissionRefused: at once; asking again does not help.
        StorageAway: the last of all tries failed too.
    """
    patience = patience or PATIENCE
    for delay in (*patience.delays, None):
        try:
            return call()
        except OSError as error:
            if _is_refusal(error):
                raise PermissionRefused(f"{what} must be readable; got {_line(error)}") from error
            if delay is None:
                tries = len(patience.delays) + 1
                raise StorageAway(f"{what} must be readable; got {_line(error)}, {tries} times in a row") from error
            patience.sleep(delay)
    raise AssertionError("the last try returns or raises")


class SteadyFile:
    """A file opened for reading at any place, as `pyarrow.PythonFile` wants one; reads are repeated when they fail.

    A read behind the end gives fewer bytes, as always: what a footer says of places that do not exist is the data's
    fault, and not asked of the storage (S3 would call it an error of its own).
    """

    def __init__(self, fs: pafs.FileSystem, path: str, name: str, patience: Patience | None = None) -> None:
        """Open a file.

        Args:
            fs: the file system.
            path: in it.
            name: for messages.
            patience: `PATIENCE` if None.

        Raises:
            PermissionRefused: it may not be read.
            StorageAway: the storage does not answer.
        """
        self.failure: AmalgamError | None = None
        """Why the last read that failed did: what pyarrow raises then is only its echo."""
        self._fs, self._path, self._name, self._patience = fs, path, name, patience
        self._file: pa.NativeFile | None = None
        self._position = 0
        self._size: int = steadily(name, lambda: self._opened().size(), patience)

    def size(self) -> int:
        """Bytes in the file."""
        return self._size

    def read_at(self, count: int, position: int) -> bytes:
        """At most `count` bytes from `position` on; fewer only at the end.

        Raises:
            PermissionRefused, StorageAway: see `steadily`; kept in `failure` too.
        """
        count = min(count, self._size - position)
        if count <= 0 or position < 0:
            return b""
        try:
            return steadily(self._name, lambda: self._read(count, position), self._patience)
        except AmalgamError as error:
            self.failure = error
            raise

    def read(self, count: int = -1) -> bytes:
        """The next bytes, all that are left if `count` is negative."""
        content = self.read_at(self._size if count < 0 else count, self._position)
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, counted from the start (0), from here (1) or from the end (2)."""
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        """The place where the next read starts."""
        return self._position

    def close(self) -> None:
        """Close the file; nothing that fails here can matter to what was read."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or the last read failed."""
        return self._file is None

    def __enter__(self) -> SteadyFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> pa.NativeFile:
        if self._file is None:
            self._file = self._fs.open_input_file(self._path)
        return self._file

    def _read(self, count: int, position: int) -> bytes:
        try:
            content: bytes = self._opened().read_at(count, position)
            return content
        except OSError:
            self.close()  # the next try opens it anew: a broken connection or a stale handle stays broken
            raise


def _is_refusal(error: OSError) -> bool:
    return isinstance(error, PermissionError) or "ACCESS_DENIED" in str(error)  # pyarrow's S3 errors carry no errno


def _line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
