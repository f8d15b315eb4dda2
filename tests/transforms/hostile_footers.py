"""Parquet footers as no writer makes them: Thrift's compact protocol by hand, with counts that lie where asked to."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transforms.footer_parser import whole_file

I32, I64, BINARY, LIST, STRUCT = 5, 6, 8, 9, 12  # type codes of the compact protocol
OPTIONAL, REPEATED = 1, 2
BYTE_ARRAY = 6


def varint(number: int) -> bytes:
    """An unsigned number."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def integer(number: int) -> bytes:
    """A signed number of 64 bits."""
    return varint((number << 1 ^ number >> 63) & (1 << 64) - 1)


def text(value: bytes, claimed: int | None = None) -> bytes:
    """A string; `claimed` is the length that it says it has."""
    return varint(len(value) if claimed is None else claimed) + value


def items(kind: int, values: Sequence[bytes], claimed: int | None = None) -> bytes:
    """A list; `claimed` is the count that it says it has."""
    return bytes([0xF0 | kind]) + varint(len(values) if claimed is None else claimed) + b"".join(values)


class Field(NamedTuple):
    """One field of a structure."""

    number: int
    kind: int
    value: bytes


def structure(*fields: Field) -> bytes:
    """A structure with these fields, in order."""
    out, before = b"", 0
    for field in fields:
        out += bytes([(field.number - before) << 4 | field.kind]) + field.value
        before = field.number
    return out + b"\0"


def element(name: bytes, children: int | None = None, repetition: int = OPTIONAL) -> bytes:
    """A schema element: a group if it has children, else a leaf of strings."""
    kind = [Field(1, I32, integer(BYTE_ARRAY))] if children is None else []
    count = [Field(5, I32, integer(children))] if children is not None else []
    return structure(*kind, Field(3, I32, integer(repetition)), Field(4, BINARY, text(name)), *count)


def flat_schema(columns: int, name: bytes = b"c") -> list[bytes]:
    """A root with so many string columns, all of one name."""
    return [element(b"root", columns), *[element(name)] * columns]


def deep_schema(levels: int) -> list[bytes]:
    """A string below so many groups."""
    return [element(b"root", 1), *[element(b"g", 1)] * levels, element(b"leaf")]


def row_group(rows: int, size: int) -> bytes:
    """A row group without columns."""
    return structure(Field(1, LIST, items(STRUCT, [])), Field(2, I64, integer(size)), Field(3, I64, integer(rows)))


def full_row_group(columns: int) -> bytes:
    """A row group with so many columns of which nothing is said: 3 bytes each, and hundreds once it is parsed."""
    chunks = items(STRUCT, [structure(Field(2, I64, integer(0)))] * columns)
    return structure(Field(1, LIST, chunks), Field(2, I64, integer(1)), Field(3, I64, integer(1)))


def metadata(
    schema: Sequence[bytes],
    groups: Sequence[bytes] = (),
    extra: Sequence[tuple[bytes, bytes]] = (),
    *,
    rows: int = 0,
    claimed_elements: int | None = None,
    claimed_groups: int | None = None,
) -> bytes:
    """A footer."""
    pairs = [structure(Field(1, BINARY, text(key)), Field(2, BINARY, text(value))) for key, value in extra]
    return structure(
        Field(1, I32, integer(2)),
        Field(2, LIST, items(STRUCT, schema, claimed_elements)),
        Field(3, I64, integer(rows)),
        Field(4, LIST, items(STRUCT, groups, claimed_groups)),
        Field(5, LIST, items(STRUCT, pairs)),
    )


def write_file(path: Path, footer: bytes, body: int = 0) -> None:
    """A file with this footer behind so many bytes of nothing."""
    content = whole_file(footer)
    path.write_bytes(content[:4] + bytes(body) + content[4:])


def lying_length() -> bytes:
    """Four bytes that say 2 GiB of footer, and the magic."""
    return struct.pack("<I", 0x7FFFFFFF) + b"PAR1"


GIGANTIC = 0x7FFFFFFF
"""The largest count that fits into 32 bits with a sign."""
HOSTILE: dict[str, bytes] = {
    "a list that says it has two billion schema elements": metadata(flat_schema(1), claimed_elements=GIGANTIC),
    "a list that says it has two billion row groups": metadata(flat_schema(1), claimed_groups=GIGANTIC),
    "a million schema elements": metadata(flat_schema(1_000_000)),
    "nine hundred thousand columns": metadata(flat_schema(900_000)),
    "twenty thousand columns": metadata(flat_schema(20_000)),
    "a group that says it has two billion children": metadata([element(b"root", GIGANTIC), element(b"c")]),
    "a name that says it has 2 GiB": metadata(
        [element(b"root", 1), structure(Field(1, I32, integer(6)), Field(4, BINARY, text(b"c", GIGANTIC)))]
    ),
    "a name of 50 MB": metadata(flat_schema(1, b"c" * 50_000_000)),
    "metadata of 60 MB": metadata(flat_schema(1), extra=[(b"ARROW:schema", b"A" * 60_000_000)]),
    "a thousand levels": metadata(deep_schema(1_000)),
    "a hundred thousand levels": metadata(deep_schema(100_000)),  # ends the process that parses it: its stack is full
    "a million levels": metadata(deep_schema(1_000_000)),
    "two hundred thousand row groups": metadata(flat_schema(1), [row_group(1, 1)] * 200_000),
    "five million columns of which nothing is said": metadata(flat_schema(1), [full_row_group(100_000)] * 50),
    "more rows than any file holds": metadata(flat_schema(1), [row_group(1 << 62, 100)], rows=1 << 62),
    "a negative number of rows": metadata(flat_schema(1), [row_group(-5, 100)], rows=-5),
    "more bytes than all disks": metadata(flat_schema(1), [row_group(10, 1 << 62)], rows=10),
    "a list in a list in a list": b"\x19" * 10_000_000,
    "no structure at all": b"\xff" * 1000,
    "nothing": b"",
}
"""What the footer is -> its bytes."""
