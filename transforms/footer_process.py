"""The parent's side of the process that parses footers: started anew whenever a footer kills it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import IO

import pyarrow as pa

from models.errors import TemporaryError
from transforms import footer_parser

COMMAND = (sys.executable, "-m", footer_parser.__name__)


@dataclass(frozen=True)
class Answer:
    """What a footer says; see `transforms.footers.InputFile`."""

    schema: pa.Schema
    row_groups: tuple[tuple[int, int], ...]
    first_page: int | None


class FooterParser:
    """The child process of `footer_parser`, started anew whenever a footer kills it."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """Start it; nothing waits for it before the first footer.

        Raises:
            TemporaryError: it cannot be started.
        """
        self._command = command
        self._child = _start(command)
        self._ready = False

    def __call__(self, footer: bytes, file_size: int) -> Answer | str:
        """What the child says of a footer, or why it cannot.

        Raises:
            TemporaryError: no child can be started.
        """
        if self._child.poll() is not None and self._ready:
            self._stop()
            self._child, self._ready = _start(self._command), False
        self._await_ready()
        try:
            footer_parser.send(_pipe(self._child.stdin), file_size.to_bytes(8, "little"))
            footer_parser.send(_pipe(self._child.stdin), footer)
        except BrokenPipeError:
            return self._post_mortem()
        answer, schema = (footer_parser.receive(_pipe(self._child.stdout)) for _ in range(2))
        if answer is None or schema is None:
            return self._post_mortem()
        told = json.loads(answer)
        if "refused" in told:
            return str(told["refused"])
        groups = tuple((int(rows), int(size)) for rows, size in told["row_groups"])
        return Answer(pa.ipc.read_schema(pa.py_buffer(schema)), groups, told["first_page"])

    def __enter__(self) -> FooterParser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _await_ready(self) -> None:
        if not self._ready:
            if footer_parser.receive(_pipe(self._child.stdout)) != b"ready":
                told = _pipe(self._child.stderr).read().decode(errors="replace").strip().splitlines()
                raise TemporaryError(
                    f"a child process must start, in which footers are parsed; got exit status {self._child.wait()}"
                    f"{f' and: {told[-1]}' if told else ''}"
                )
            self._ready = True

    def _post_mortem(self) -> str:
        status = self._child.wait()
        if status == -signal.SIGPROF:
            return f"a Parquet footer must be parsed within {footer_parser.SECONDS:g} s; got one that is not"
        return f"a Parquet footer must be readable; got one that ended the process which parsed it (status {status})"

    def _stop(self) -> None:
        self._child.kill()
        for end in (self._child.stdin, self._child.stdout, self._child.stderr):
            with suppress(BrokenPipeError):  # what could not be sent before the child died
                _pipe(end).close()
        self._child.wait()


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # The child finds the packages where this process found them; malloc lets go of a large footer's memory.
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    pipe = subprocess.PIPE  # for stderr too: what a crash prints is not for users
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    except OSError as error:
        raise TemporaryError(f"a child process must start, in which footers are parsed; got {error}") from error


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None, "every child is started with pipes"
    return end
