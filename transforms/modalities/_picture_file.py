"""Of a picture file, what makes its first picture: metadata, where most bombs hide, never reach the decoder.

Pillow reads every tag of EXIF data and of TIFF directories into memory, and two tags may name the same bytes: a JPEG of
260 kB, whose EXIF has 20,000 tags of 260 kB each, took 5 GB. Comments and text chunks have ways of their own. None of
them changes a pixel, except EXIF's orientation, which is read here.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

from transforms.modalities.external import Refused

MOST_PARTS = 100_000
"""Segments, chunks or blocks of one file. A PNG of 64 MiB in libpng's chunks of 8 KiB has 8,192."""
MOST_SCANS = 100
"""Passes over the picture of a progressive JPEG: encoders make about 10; libjpeg-turbo's own fuzzers stop at 500."""

ORIENTATION = 0x0112  # EXIF 2.3 and TIFF 6.0

T = TypeVar("T")


class Essence(NamedTuple):
    """A file without its metadata."""

    content: bytes | memoryview
    """A whole file of the same format, with the same first picture."""
    exif: memoryview | None
    """The EXIF data that stood in it."""


def essence(content: memoryview, name: str) -> Essence:
    """What a decoder needs of a file of this format.

    Raises:
        Refused: `too_large` (more than MOST_PARTS or MOST_SCANS), `decode_failed` (nothing there to decode).
    """
    reduce = _REDUCE.get(name)
    if reduce is None:
        return Essence(content, None)
    try:
        return reduce(content.cast("B"))  # Arrow's buffers count as signed bytes
    except (IndexError, struct.error):  # the file ends within a number
        raise Refused("decode_failed") from None


def exif_orientation(exif: bytes | memoryview | None) -> int:
    """The orientation, 1 to 8, that EXIF data state; 1 where they state none, or are damaged."""
    data = memoryview(exif or b"")
    if bytes(data[:6]) == b"Exif\0\0":
        data = data[6:]
    order = _ORDERS.get(bytes(data[:4]), "")
    try:
        found = [
            struct.unpack_from(order + _INTEGERS[kind], value)[0]
            for tag, kind, _, value in (_entries(data, _CLASSIC, order) if order else ())
            if tag == ORIENTATION and kind in _INTEGERS
        ]
    except struct.error:
        return 1
    return found[0] if found and 1 <= found[0] <= 8 else 1


# JPEG: ITU-T T.81 ---------------------------------------------------------------------------------------------------

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")  # but not FF00 (a data byte FF), fill bytes and restart marks
_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # APPn and comments; APP0 (JFIF) and APP14 (Adobe) tell the colours


def _jpeg(content: memoryview) -> Essence:
    kept, exif, scans, first_scan, end = [content[:2]], None, 0, 0, len(content)
    for marker, start, stop in _at_most(_segments(content)):
        if marker == _EOI:
            end = stop  # what follows (a second picture, a film) is none of the first
        elif marker == _SOS:
            scans, first_scan = scans + 1, first_scan or start
            if scans > MOST_SCANS:
                raise Refused("too_large")
        elif not scans and marker not in _METADATA:
            kept.append(content[start:stop])
        elif marker == _APP1 and exif is None and bytes(content[start + 4 : start + 10]) == b"Exif\0\0":
            exif = content[start + 4 : stop]
    if not scans:
        raise Refused("decode_failed")
    return Essence(b"".join([*kept, content[first_scan:end]]), exif)


def _segments(content: memoryview) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of every marker segment, up to the end of the first picture."""
    position, marker = 2, _SOI
    while marker != _EOI and (found := _MARKER.search(content, position)):
        marker, start, position = content[found.start() + 1], found.start(), found.end()
        if marker not in (_SOI, _EOI):
            position += struct.unpack_from(">H", content, position)[0]
        yield marker, start, min(position, len(content))


# PNG: ISO/IEC 15948 -------------------------------------------------------------------------------------------------

_CHUNK = struct.Struct(">I4s")
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def _png(content: memoryview) -> Essence:
    kept, exif = [content[:8]], None
    for name, start, stop in _at_most(_chunks(content)):
        if name in _PNG_KEPT:
            if zlib.crc32(content[start + 4 : stop - 4]) != int.from_bytes(content[stop - 4 : stop]):
                raise Refused("decode_failed")  # Pillow checks all but the pixels' chunks
            kept.append(content[start:stop])
        elif name == b"eXIf":
            exif = content[start + 8 : stop - 4]
    return Essence(b"".join(kept), exif)


def _chunks(content: memoryview) -> Iterator[tuple[bytes, int, int]]:
    position, name = 8, b""
    while name != b"IEND" and position + _CHUNK.size <= len(content):
        length, name = _CHUNK.unpack_from(content, position)
        start, position = position, position + _CHUNK.size + length + 4  # a check sum follows
        yield name, start, min(position, len(content))


# GIF: GIF89a specification ------------------------------------------------------------------------------------------

_PART = re.compile(rb"[!,;]")  # extension, picture, end: what stands between is skipped, as all decoders do
_CONTROL = 0xF9  # the extension that says which colour is transparent


def _gif(content: memoryview) -> Essence:
    position = 13 + _colour_table(content[10])
    header, control = content[:position], content[:0]
    for label, start, stop in _at_most(_extensions(content, position)):
        position = stop
        if label == _CONTROL:
            control = content[start:stop]
    return Essence(b"".join([header, control, content[position:]]), None)


def _colour_table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _extensions(content: memoryview, position: int) -> Iterator[tuple[int, int, int]]:
    """(label, start, end) of every extension before the first picture; told anew with each of its data blocks."""
    while (found := _PART.search(content, position)) and found[0] == b"!":
        start, length = found.start(), 1
        position = start + 2
        while length:  # the last block is empty
            length = content[position]
            position += 1 + length
            yield content[start + 1], start, position


# TIFF 6.0, and BigTIFF with its longer numbers ----------------------------------------------------------------------


class _Layout(NamedTuple):
    """How a directory is written."""

    number: str
    """A directory's first field: how many entries follow."""
    entry: str
    offset: str
    first: int
    """Where the header names the first directory."""


_CLASSIC = _Layout("H", "HHI4s", "I", 4)
_BIG = _Layout("Q", "HHQ8s", "Q", 8)
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_BIG_ORDERS = {b"II+\0": "<", b"MM\0+": ">"}
_INTEGERS = {1: "B", 3: "H", 4: "I"}  # field types by number
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

# The tags that say how pixels are stored and shown. Source: TIFF 6.0, with its supplement for JPEG.
_TIFF_KEPT = {
    *range(254, 260),  # kind, width, length, bits, compression
    *(262, 266, 273, 274, 277, 278, 279, 280, 281, 284),  # photometry, fill order, strips, orientation, samples, planes
    *(292, 293, 317, 320),  # fax options, predictor, palette
    *range(322, 326),  # tiles
    *(332, 333, 334, 338, 339, 340, 341, 347),  # inks, extra samples, sample format, JPEG tables
    *range(512, 522),  # JPEG as in TIFF 6.0
    *range(529, 533),  # YCbCr
}


def _tiff(content: memoryview) -> Essence:
    """The file with a directory of the kept tags alone behind it, to which its header now points."""
    head = bytes(content[:4])
    layout, order = (_BIG, _BIG_ORDERS[head]) if head in _BIG_ORDERS else (_CLASSIC, _ORDERS[head])
    entries: dict[int, bytes] = {}
    taken = 0
    for tag, kind, count, value in _entries(content, layout, order):
        if tag in _TIFF_KEPT and tag not in entries:
            taken += count * _BYTES.get(kind, 0)
            entries[tag] = struct.pack(order + layout.entry, tag, kind, count, value)
    if taken > len(content):  # tags that share their bytes
        raise Refused("too_large")
    directory = b"".join(entries[tag] for tag in sorted(entries))
    number, end = struct.pack(order + layout.number, len(entries)), struct.pack(order + layout.offset, 0)
    padding = bytes(len(content) % 2)  # a directory begins at an even place
    start = struct.pack(order + layout.offset, len(content) + len(padding))
    rest = content[layout.first + len(start) :]
    return Essence(b"".join([content[: layout.first], start, rest, padding, number, directory, end]), None)


def _entries(content: memoryview, layout: _Layout, order: str) -> Iterator[tuple[int, int, int, bytes]]:
    """(tag, type, count, value or its place) of the first directory; a directory that is cut short just ends."""
    (position,) = struct.unpack_from(order + layout.offset, content, layout.first)
    (count,) = struct.unpack_from(order + layout.number, content[position:])
    entry = struct.Struct(order + layout.entry)
    begin = position + struct.calcsize(order + layout.number)
    whole = min(count, MOST_PARTS, (len(content) - begin) // entry.size)
    return entry.iter_unpack(content[begin : begin + whole * entry.size])


def _at_most(parts: Iterator[T]) -> Iterator[T]:
    yield from islice(parts, MOST_PARTS)
    if next(parts, None) is not None:
        raise Refused("too_large")


_REDUCE: dict[str, Callable[[memoryview], Essence]] = {"jpeg": _jpeg, "png": _png, "gif": _gif, "tiff": _tiff}
