"""Local files behind a storage that fails now and then, or always."""

from __future__ import annotations

import random
from collections.abc import Callable

import pyarrow as pa
import pyarrow.fs as pafs
import pytest

from transforms import locations, steady_file
from transforms.steady_file import Patience

BUSY = "AWS Error SLOW_DOWN (HTTP status 503): Please reduce your request rate"


class FailingStorage:
    """As much of `pyarrow.fs.FileSystem` as reading needs; any call fails with a given probability."""

    def __init__(
        self, share: float, seed: int = 0, error: Callable[[], OSError] = lambda: OSError(BUSY), sound: int = 0
    ) -> None:
        """Take the share of calls that fail, what they raise, and how many calls work before the first may fail."""
        self.share = share
        """Of calls that fail; may be changed at any time."""
        self._sound = sound
        self.calls = self.failures = 0
        self._error = error
        self._random = random.Random(seed)
        self._local = pafs.LocalFileSystem()

    def get_file_info(self, place: str | pafs.FileSelector) -> pafs.FileInfo | list[pafs.FileInfo]:
        """As pyarrow's."""
        self.call()
        return self._local.get_file_info(place)

    def open_input_file(self, path: str) -> _FailingFile:
        """As pyarrow's."""
        self.call()
        return _FailingFile(self, self._local.open_input_file(path))

    def call(self) -> None:
        """Count one call, and let it fail or not."""
        self.calls += 1
        if self.calls > self._sound and self._random.random() < self.share:
            self.failures += 1
            raise self._error()


class _FailingFile:
    def __init__(self, storage: FailingStorage, file: pa.NativeFile) -> None:
        self._storage, self._file = storage, file

    def size(self) -> int:
        self._storage.call()
        return int(self._file.size())

    def read_at(self, count: int, position: int) -> bytes:
        self._storage.call()
        return bytes(self._file.read_at(count, position))

    def close(self) -> None:
        self._file.close()


class Sleeps:
    """A clock's sleep that takes no time and remembers."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.slept.append(seconds)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Sleeps:
    """Waiting for the storage takes no time."""
    sleep = Sleeps()
    monkeypatch.setattr(steady_file, "PATIENCE", Patience(sleep=sleep))
    return sleep


def read_through(monkeypatch: pytest.MonkeyPatch, storage: FailingStorage) -> None:
    """Let every input file be listed and read through this storage."""
    monkeypatch.setattr(locations, "filesystem", lambda uri: (storage, uri))
