"""Whether a Parquet page carries a checksum, read from the first bytes of its header."""

from __future__ import annotations

from collections.abc import Iterator

# Thrift's compact protocol, as far as the first fields of PageHeader need it: type, uncompressed size, compressed
# size and crc are all i32, numbered 1 to 4 (parquet.thrift).
_I32 = 5
_CRC = 4
_LONGEST_I32 = 5  # bytes of a zigzag varint


def has_checksum(head: bytes) -> bool:
    """Whether the page header that starts with these bytes has a checksum; False too where it cannot be told."""
    return _CRC in _i32_fields(head)


def _i32_fields(head: bytes) -> Iterator[int]:
    """The numbers of the i32 fields that a structure starts with."""
    position = field = 0
    while position < len(head):
        step, kind = divmod(head[position], 16)
        if kind != _I32 or step == 0:  # another type, or the end; no writer spells these fields' numbers out
            return
        field += step
        value = head[position + 1 : position + 1 + _LONGEST_I32]
        length = next((i + 1 for i, byte in enumerate(value) if byte < 0x80), 0)
        if not length:
            return
        yield field
        position += 1 + length
