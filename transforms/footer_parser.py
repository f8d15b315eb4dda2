"""The child process that parses Parquet footers: `python -m transforms.footer_parser`, footers in, descriptions out.

A footer is a Thrift structure from outside: counts that lie, strings without end and schemas a thousand levels deep
make its parser allocate, recurse or crash. It does so here, within limits on memory and time that the kernel keeps.
What comes out is checked to be of a plausible size, and is JSON and an Arrow schema: nothing that could run.

Messages are an 8-byte little-endian length and so many bytes. After b"ready", every two (the file's size in 8 bytes,
and its footer without the magic bytes) are answered with two: a JSON object, and the schema as Arrow IPC (empty where
the footer is refused).
Imports nothing but pyarrow, so that it starts in 0.15 s.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

MEMORY = 1 << 30  # what a child may take on top of its own; parsing a footer of 62 MB takes 670 MB
SECONDS = 10.0  # of CPU for one footer; one of 62 MB takes 2
MAX_COLUMNS = 10_000  # leaves; the widest feature tables have a few thousand
MAX_ROW_GROUPS = 100_000  # 12 TB in row groups of 128 MB
MAX_ROWS = 1 << 30  # of a file; at an embedding of 1 kB each its output would be a terabyte
_MAX_LIST = 2 * MAX_ROW_GROUPS  # of any list, before it is parsed
MAX_DEPTH = 60  # Arrow IPC carries no schema deeper than 64
MAX_SCHEMA_BYTES = 8 << 20  # 10,000 columns with names of 100 characters take 3 MB
MAX_SENTENCE = 300  # characters of a message, which may quote the footer
# How much a file may claim to hold per byte that it has, so that a few bytes cannot plan a million units. Rows: with
# distinct keys and at least one modality they do not get below a byte each. Bytes: zstd, the densest of Parquet's
# codecs, stores 128 KiB of one value in 4 bytes.
MAX_ROWS_PER_BYTE = 64
MAX_BYTES_PER_BYTE = 1 << 16

MAGIC = b"PAR1"


class Implausible(Exception):
    """A footer that claims what no file can hold; its text is for people."""


def whole_file(footer: bytes) -> bytes:
    """The smallest file with this footer, as a Parquet reader wants to see it."""
    return MAGIC + footer + len(footer).to_bytes(4, "little") + MAGIC


def send(pipe: IO[bytes], message: bytes) -> None:
    """Write one message."""
    pipe.write(len(message).to_bytes(8, "little"))
    pipe.write(message)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes | None:
    """The next message; None when the other side is gone."""
    head = pipe.read(8)
    count = int.from_bytes(head, "little")
    message = pipe.read(count) if len(head) == 8 else b""
    return message if len(head) == 8 and len(message) == count else None


def describe(footer: bytes, file_size: int) -> tuple[dict[str, Any], bytes]:
    """What planning needs to know of a file, or why it cannot be used.

    Returns:
        `{"row_groups": [[rows, bytes], …], "first_page": offset or None}` and the schema as Arrow IPC, or
        `{"refused": sentence}` and nothing.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(whole_file(footer)), thrift_container_size_limit=_MAX_LIST)
        groups = list(_row_groups(file.metadata, file_size))
        return {"row_groups": groups, "first_page": _first_page(file.metadata)}, _schema(file.schema_arrow)
    except Implausible as error:
        return {"refused": f"a Parquet footer must describe a file that can be; got {error}"}, b""
    except (MemoryError, OSError, OverflowError, RecursionError, pa.ArrowException) as error:
        if isinstance(error, MemoryError) or "bad_alloc" in str(error):  # as Thrift's parser tells of it
            return {"refused": f"a Parquet footer must be parsed within {MEMORY >> 20} MiB; got one that is not"}, b""
        return {"refused": f"a Parquet footer must be readable; got {_line(error)}"}, b""


def _row_groups(metadata: pq.FileMetaData, file_size: int) -> Iterator[list[int]]:
    _at_most("columns", metadata.num_columns, MAX_COLUMNS)
    _at_most("row groups", metadata.num_row_groups, MAX_ROW_GROUPS)
    rows = size = 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        if group.num_rows < 0 or group.total_byte_size < 0:
            raise Implausible(f"row group {index} with {group.num_rows:,} rows in {group.total_byte_size:,} bytes")
        for column in range(group.num_columns):
            group.column(column)  # pyarrow 25 aborts at some wrong statistics: here, and not in the process that reads
        rows, size = rows + group.num_rows, size + group.total_byte_size
        yield [group.num_rows, group.total_byte_size]
    _at_most("rows", rows, min(MAX_ROWS, MAX_ROWS_PER_BYTE * file_size))
    _at_most("uncompressed bytes", size, MAX_BYTES_PER_BYTE * file_size)


def _at_most(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise Implausible(f"{count:,} {what}, more than {limit:,}")


def _first_page(metadata: pq.FileMetaData) -> int | None:
    """Where the first page of the first row group that has rows starts; None in a file without rows."""
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        if group.num_rows and group.num_columns:
            chunk = group.column(0)
            return int(chunk.dictionary_page_offset or chunk.data_page_offset)
    return None


def _schema(schema: pa.Schema) -> bytes:
    deepest = max((_depth(field.type) for field in schema), default=0)
    _at_most("levels of nesting", deepest, MAX_DEPTH)
    message = schema.remove_metadata().serialize().to_pybytes()
    _at_most("bytes of schema", len(message), MAX_SCHEMA_BYTES)
    return bytes(message)


def _depth(data_type: pa.DataType) -> int:
    """Levels of nesting, counted without recursion."""
    depth, level = 0, [data_type]
    while level and depth <= MAX_DEPTH:
        level = [inner.field(i).type for inner in level for i in range(inner.num_fields)]
        depth += 1
    return depth


def _line(error: BaseException) -> str:
    text = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return re.sub(r"[^\x20-\x7e]+", "?", text[:MAX_SENTENCE])


def limit_this_process() -> None:
    """Give this process its share of memory; no core dump when that kills it."""
    status = Path("/proc/self/statm")  # on other systems than Linux the whole share is absolute
    own = int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 0
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, own + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Parse until the other side closes the pipe."""
    limit_this_process()
    send(sys.stdout.buffer, b"ready")
    while (size := receive(sys.stdin.buffer)) and (footer := receive(sys.stdin.buffer)) is not None:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # nobody handles SIGPROF: it ends the process
        answer, schema = describe(footer, int.from_bytes(size, "little"))
        signal.setitimer(signal.ITIMER_PROF, 0)
        del footer
        send(sys.stdout.buffer, json.dumps(answer).encode())
        send(sys.stdout.buffer, schema)


if __name__ == "__main__":
    main()
