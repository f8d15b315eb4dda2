"""What is done to a run of the plain job, in its process before it starts, and a picture that is too large."""

from __future__ import annotations

import itertools
import os
import signal
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

from benchmarks.faults.seams import Function, wrap

POISON = "c0123"
"""Key of the record on which the model segfaults."""
_MODEL = "benchmarks.plain.job:Encode.run_inference"


def kill_at(target: str, call: int, after: bool = False) -> Callable[[], None]:
    """SIGKILL before or after this call of a function."""

    def around(function: Function) -> Function:
        calls = itertools.count(1)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            doomed = next(calls) == call
            result = function(*args, **kwargs) if after or not doomed else None
            if doomed:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapper

    return lambda: wrap(target, around)


def poison_model() -> None:
    """The model segfaults on one record."""

    def around(function: Function) -> Function:
        def wrapper(self: Any, batch: Any, *args: Any, **kwargs: Any) -> Any:
            if any(record["id"] == POISON for record in batch):
                os.kill(os.getpid(), signal.SIGSEGV)
            return function(self, batch, *args, **kwargs)

        return wrapper

    wrap(_MODEL, around)


def slow_model() -> None:
    """The model needs a moment, so that two runs meet."""

    def around(function: Function) -> Function:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            time.sleep(0.01)
            return function(*args, **kwargs)

        return wrapper

    wrap(_MODEL, around)


def png(side: int) -> bytes:
    """A white PNG of side x side pixels, 8-bit grey; 169 Mpx take 194 KB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    line = b"\0" + b"\xff" * side
    pixels = b"".join([*(packer.compress(line) for _ in range(side)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
