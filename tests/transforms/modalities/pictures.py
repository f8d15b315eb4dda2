"""Pictures for tests: whole files of every format, and files put together byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
Colour = tuple[int, int, int]
Quarters = tuple[Colour, Colour, Colour, Colour]

# How a camera held that way stores the upright quarters (RED, GREEN / BLUE, WHITE): EXIF 2.3, tag 0x0112.
STORED: dict[int, Quarters] = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    4: (BLUE, WHITE, RED, GREEN),
    5: (RED, BLUE, GREEN, WHITE),
    6: (GREEN, WHITE, RED, BLUE),
    7: (WHITE, GREEN, BLUE, RED),
    8: (BLUE, RED, WHITE, GREEN),
}


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def plain(mode: str, colour: Any, side: int = 32) -> Image.Image:
    """A picture of one colour."""
    return Image.new(mode, (side, side), colour)


def corners(colours: Quarters, side: int = 32) -> Image.Image:
    """A picture of four quarters: top left, top right, bottom left, bottom right."""
    image = Image.new("RGB", (side, side))
    half = side // 2
    for place, colour in enumerate(colours):
        image.paste(colour, (place % 2 * half, place // 2 * half, (place % 2 + 1) * half, (place // 2 + 1) * half))
    return image


def turned(orientation: int, format_: str = "JPEG") -> bytes:
    """RED, GREEN / BLUE, WHITE as a camera held that way stores it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(corners(STORED[orientation], side=128), format_, exif=exif, quality=95)


def palette_with_transparency() -> bytes:
    """Left half palette colour 0 (red), right half colour 1, which is transparent."""
    image = Image.new("P", (32, 32), 0)
    image.putpalette([*RED, *GREEN])
    image.paste(1, (16, 0, 32, 32))
    return encoded(image, "PNG", transparency=1)


def chunk(name: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that announces 8-bit RGB of this size, with whatever chunks follow."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in ((b"IHDR", header), *chunks))


def with_chunks(file: bytes, chunks: bytes) -> bytes:
    """A PNG with more chunks behind its header (which ends after 8 + 25 bytes)."""
    return file[:33] + chunks + file[33:]


def interlaced_png() -> bytes:
    """RED, GREEN / BLUE, WHITE of 8 by 8 in the seven passes of Adam7 (ISO/IEC 15948, 8.2)."""
    pixels = np.asarray(corners(STORED[1], side=8))
    passes = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
    rows = [b"\0" + row.tobytes() for y, dy, x, dx in passes for row in pixels[y::dy, x::dx]]  # 0: no filter
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 1)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def with_segments(jpeg: bytes, segments: bytes) -> bytes:
    """A JPEG with more marker segments right behind its beginning, in place of JFIF's 18 bytes."""
    return jpeg[:2] + segments + jpeg[20:]


def segment(marker: int, data: bytes) -> bytes:
    """A JPEG marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_of_many_scans(scans: int, side: int = 64) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    file = encoded(plain("RGB", RED, side), "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * scans + file[-2:]


def jpeg_of_size(width: int, height: int) -> bytes:
    """A small JPEG whose frame header (marker FFC0: length, precision, height, width) declares this size."""
    file = encoded(plain("RGB", RED), "JPEG")
    place = file.index(b"\xff\xc0") + 5
    return file[:place] + struct.pack(">HH", height, width) + file[place + 4 :]


def webp(width: int, height: int) -> bytes:
    """A lossless WebP that announces this size (14 bits each behind the signature byte) and holds next to nothing."""
    picture = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(99)
    return b"RIFF" + struct.pack("<I", 12 + len(picture)) + b"WEBPVP8L" + struct.pack("<I", len(picture)) + picture


def animated_webp(width: int, height: int) -> bytes:
    """A WebP animation that announces a canvas of this size (24 bits each) and has one frame of 32 by 32."""
    frame = bytes(6) + (31).to_bytes(3, "little") * 2 + bytes(4) + encoded(plain("RGB", RED), "WEBP")[12:]
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    parts = ((b"VP8X", b"\x02\0\0\0" + size), (b"ANIM", bytes(6)), (b"ANMF", frame))
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data for name, data in parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_with_extensions(extensions: bytes) -> bytes:
    """A GIF with these blocks before its picture (header of 13 bytes, palette of 3 for each of its colours)."""
    file = encoded(plain("P", 0), "GIF")
    place = 13 + (3 << (file[10] & 7) + 1)
    return file[:place] + extensions + file[place:]


def tiff(entries: list[tuple[int, int, int, int]], size: int = 1_000) -> bytes:
    """A little-endian TIFF with a directory of (tag, type, count, value or place) and zeros up to `size` bytes."""
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4)).ljust(size, b"\0")


# width, length, bits, compression, photometric interpretation, samples: one grey pixel of 8 bits, not compressed
ONE_PIXEL = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
STRIP = [(273, 4, 1, 8), (278, 4, 1, 1), (279, 4, 1, 1)]  # place, rows, bytes


def tiff_of_a_tile(side: int) -> bytes:
    """A TIFF of one pixel, LZW, in a tile of side by side."""
    tile = [(322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 500), (325, 4, 1, 400)]
    return tiff([*ONE_PIXEL[:3], (259, 3, 1, 5), *ONE_PIXEL[4:], *tile])


def sharing_tags(size: int, count: int) -> list[tuple[int, int, int, int]]:
    """Directory entries of private tags that all name the same `size` bytes."""
    return [(20_000 + number, 1, size - 100, 8) for number in range(count)]


def exif_bomb(segments: int) -> bytes:
    """A JPEG with EXIF data in so many segments of 65,000 bytes, whose tags, one for every 24 bytes, all name all."""
    size = 65_000 * segments
    data = tiff(sharing_tags(size, min(20_000, size // 24)), size)
    pieces = (data[start : start + 65_000] for start in range(0, size, 65_000))
    return with_segments(encoded(plain("RGB", RED), "JPEG"), b"".join(segment(0xE1, b"Exif\0\0" + p) for p in pieces))
