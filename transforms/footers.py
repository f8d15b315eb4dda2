"""Parquet footers: fetched from storage here, parsed in a child process that a hostile one may kill."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from transforms.footer_process import FooterParser
from transforms.locations import open_file
from transforms.page_header import has_checksum
from transforms.steady_file import SteadyFile

_THREADS = 16  # footers are small reads, so latency decides on object stores
_WINDOW = 2 * _THREADS  # files that are fetched ahead of the parser
_MAGIC = (b"PAR1", b"PARE")  # plain and encrypted footers, Parquet format specification
_LIMIT = 64 << 20  # a footer is some 100 bytes per column and row group; more is an attack or a broken length
_AHEAD = 512 << 10  # larger footers are fetched one at a time, so that 32 hostile ones do not lie in memory together
_TAIL = 64 << 10  # read at once from the end: nearly every footer is shorter, and costs one request, not two
_PAGE_HEAD = 64  # bytes of a page's header, in which its checksum's field comes fourth


@dataclass(frozen=True)
class InputFile:
    """One input file as its footer describes it."""

    uri: str
    name: str
    size: int
    footer: str
    """sha256 of the footer: changes with every rewrite of the file."""
    schema: pa.Schema
    row_groups: tuple[tuple[int, int], ...]
    """(rows, uncompressed bytes) of each row group."""
    first_page: int | None
    """Where its first page starts; None in a file without rows."""

    @property
    def rows(self) -> int:
        """Rows in this file."""
        return sum(rows for rows, _ in self.row_groups)


class NoFooter(Exception):
    """A file that does not end as Parquet files do; its text says so in one sentence."""


def fetch_footer(file: SteadyFile, limit: int = _LIMIT) -> bytes | None:
    """The footer without the magic bytes around it; None if it is longer than `limit`.

    Raises:
        NoFooter: there is none.
        PermissionRefused, StorageAway: the storage refuses or does not answer.
    """
    size = file.size()
    if size < 12:
        raise NoFooter(f"a Parquet file must have a footer; got {size} bytes")
    tail = file.read_at(_TAIL, max(0, size - _TAIL))
    length = int.from_bytes(tail[-8:-4], "little")
    if tail[-4:] not in _MAGIC or length > min(size - 8, _LIMIT):
        raise NoFooter("a Parquet file must end with a footer; got something else (truncated?)")
    if length > limit:
        return None
    if length <= len(tail) - 8:
        return tail[len(tail) - 8 - length : -8]
    del tail
    return file.read_at(length, size - 8 - length)


def digest(footer: bytes) -> str:
    """A footer's sha256."""
    return hashlib.sha256(footer).hexdigest()


def read_footers(files: Sequence[tuple[str, str]]) -> Iterator[InputFile | str]:
    """Each (uri, name) as its footer describes it, or one sentence that says why that cannot be used; in order.

    Raises:
        PermissionRefused, StorageAway: the storage refuses or does not answer.
        TemporaryError: no child process can be started.
    """
    if not files:
        return
    with FooterParser() as parser, ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[tuple[tuple[str, str], Future[_Fetched | str]]] = deque()
        try:
            for item in files:
                waiting.append((item, pool.submit(_fetch, *item, _AHEAD)))
                if len(waiting) == _WINDOW:
                    yield _described(parser, *waiting.popleft())
            while waiting:
                yield _described(parser, *waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Fetched:
    size: int
    footer: bytes | None


def _fetch(uri: str, name: str, limit: int) -> _Fetched | str:
    try:
        with open_file(uri, name) as file:
            return _Fetched(file.size(), fetch_footer(file, limit))
    except NoFooter as error:
        return str(error)


def _described(parser: FooterParser, item: tuple[str, str], future: Future[_Fetched | str]) -> InputFile | str:
    fetched = future.result()
    if isinstance(fetched, _Fetched) and fetched.footer is None:
        fetched = _fetch(*item, _LIMIT)
    if isinstance(fetched, str):
        return fetched
    assert fetched.footer is not None
    answer = parser(fetched.footer, fetched.size)
    if isinstance(answer, str):
        return answer
    return InputFile(*item, fetched.size, digest(fetched.footer), answer.schema, answer.row_groups, answer.first_page)


def without_checksums(files: Sequence[InputFile]) -> tuple[str, ...]:
    """Names of the files whose pages carry no checksums, told from the first page of each.

    Writers give checksums to all pages or to none. A page that is damaged and still decodes is found by its checksum
    alone.

    Raises:
        PermissionRefused, StorageAway: the storage refuses or does not answer.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(_first_page_has_checksum, files)
        return tuple(file.name for file, has in zip(files, found, strict=True) if not has)


def _first_page_has_checksum(file: InputFile) -> bool:
    if file.first_page is None:
        return True  # nothing that could be damaged
    with open_file(file.uri, file.name) as opened:
        return has_checksum(opened.read_at(_PAGE_HEAD, file.first_page))
