"""From untrusted bytes to a square of RGB pixels: signatures, limits, decoding, orientation, colour."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.modalities._picture_file import ORIENTATION, essence, exif_orientation
from transforms.modalities._resizing import (
    Geometry,
    Pixels,
    Window,
    centred,
    reduced,
    resized,
    resized_with_pillow,
    window,
)
from transforms.modalities.external import Refused

# What Pillow raises on damaged or hostile data: its parsers let Python's own errors through (an index past
# the end, a key that is not there, a struct that is too short), its C code reports an absurd size in an inner
# structure as MemoryError or OverflowError, and its asserts can be reached from data.
DECODE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

# (offset, bytes, name). A signature alone decides which decoder may see the content, and whether any: Pillow
# would hand EPS to Ghostscript. Source: the formats' specifications.
_SIGNATURES = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (0, b"BM", "bmp"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"II+\0", "tiff"),
    (0, b"MM\0+", "tiff"),
    (0, b"%!PS", "eps"),
    (0, b"\xc5\xd0\xd3\xc6", "eps"),
    (0, b"%PDF", "pdf"),
    (0, b"8BPS", "psd"),
    (0, b"\0\0\1\0", "ico"),
    (0, b"icns", "icns"),
    (0, b"DDS ", "dds"),
    (0, b"\xd7\xcd\xc6\x9a", "wmf"),
    (40, b" EMF", "emf"),
    (0, b"SIMPLE  =", "fits"),
    (0, b"\xff\x4f\xff\x51", "jpeg2000"),
    (4, b"jP  \r\n\x87\n", "jpeg2000"),
    (4, b"ftyp", "avif, heif or video"),
    (0, b"<svg", "svg"),
    (0, b"<?xml", "svg"),
    *((0, b"P%d" % digit + space, "pnm") for digit in range(1, 8) for space in (b"\n", b" ", b"\r", b"\t")),
)

_TILE_WIDTH, _TILE_LENGTH = 322, 323  # TIFF 6.0, section 15
_BLOCK = 1_000_000  # pixels of 16 bits that are scaled at once: 8 MB of float64
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF 2.3, tag 0x0112: how to turn the stored picture upright
_SIDEWAYS = {_TRANSPOSE[orientation] for orientation in (5, 6, 7, 8)}
_AVERAGEABLE = {"L", "LA", "RGB", "RGBA", "RGBa", "I", "F"}
_WITHOUT_WHITE = {"I", "F"}  # 32 bits and floats: no value is white by definition


def decode(content: memoryview, formats: Sequence[str], max_pixels: int, geometry: Geometry) -> Pixels:
    """One picture as uint8 RGB `[size, size, 3]`, upright, on white.

    Raises:
        Refused: `format_refused` (known, not in `formats`), `too_large` (more pixels in the header than
            `max_pixels`, or a file made to cost more than its pixels; nothing was decoded), `decode_failed`.
    """
    name = sniff(content)
    if name is not None and name not in formats:
        raise Refused("format_refused")
    if name is None:
        raise Refused("decode_failed")
    file = essence(content, name)
    try:
        with Image.open(BytesIO(file.content), formats=[name]) as image:
            if max(image.width * image.height, _tile_pixels(image)) > max_pixels:
                raise Refused("too_large")
            return _square(image, file.exif, geometry)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused("too_large") from None
    except DECODE_ERRORS:
        raise Refused("decode_failed") from None


def sniff(content: memoryview) -> str | None:
    """Name of the format that the first bytes announce, or None."""
    head = bytes(content[:64])
    return next((name for at, magic, name in _SIGNATURES if head.startswith(magic, at)), None)


def _tile_pixels(image: Image.Image) -> int:
    """Pixels that are decoded at once: a TIFF of one pixel may consist of a tile of a billion."""
    tags = getattr(image, "tag_v2", {})
    return int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0))


def _square(image: Image.Image, exif: memoryview | None, geometry: Geometry) -> Pixels:
    full = image.size
    if not geometry.exact:
        least = geometry.shrink_to * geometry.edge
        image.draft(None, (least, least))  # JPEG alone: at 1/2, 1/4 or 1/8
    shrunk = image.size != full
    image.load()
    turn = _TRANSPOSE.get(_orientation(image, exif))
    target = window(full if shrunk else image.size, geometry, sideways=turn in _SIDEWAYS)
    even = _averageable(image)
    if even.mode in _WITHOUT_WHITE or not geometry.exact:
        even = reduced(even, target.turned() if turn in _SIDEWAYS else target)
    # Turned before it is resized: the other order differs where the middle falls between two pixels.
    upright = even if turn is None else even.transpose(turn)
    return centred(_scaled(upright, target, geometry), geometry.size)


def _scaled(image: Image.Image, target: Window, geometry: Geometry) -> Pixels:
    """`[height, width, 3]`, or 1 where it is grey."""
    if image.mode in _WITHOUT_WHITE:
        return _stretched(np.asarray(resized_with_pillow(image, target, geometry.resample), dtype=np.float64))
    return resized(_on_white(image), target, geometry)


def _orientation(image: Image.Image, exif: memoryview | None) -> int:
    if image.format == "TIFF":
        found = getattr(image, "tag_v2", {}).get(ORIENTATION, 1)
        return found if isinstance(found, int) else 1  # damaged metadata do not make the pixels unusable
    return exif_orientation(exif or image.info.get("exif"))  # WebP keeps its own


def _averageable(image: Image.Image) -> Image.Image:
    """The image in a mode whose pixel values may be averaged: palette indices, colour keys and inks may not."""
    if image.mode.startswith("I;16"):
        return _eight_bits(image)
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA") or (image.mode in ("L", "RGB") and "transparency" in image.info):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image if image.mode in _AVERAGEABLE else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    scaled = np.empty(values.shape, dtype=np.uint8)
    rows = max(1, _BLOCK // image.width)
    for start in range(0, image.height, rows):
        scaled[start : start + rows] = np.rint(values[start : start + rows] / 257)  # 65535 = 255 · 257
    return Image.fromarray(scaled)


def _on_white(image: Image.Image) -> Image.Image:
    """RGB or L; what is transparent lets white through."""
    if image.mode in ("RGB", "L"):
        return image
    colours = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(colours, mask=colours)
    return white


def _stretched(values: npt.NDArray[np.float64]) -> Pixels:
    """`[height, width, 1]`: values without a defined white, of which the least becomes 0 and the largest 255."""
    finite = np.isfinite(values)
    if not finite.any():
        raise Refused("decode_failed")
    low, high = values[finite].min(), values[finite].max()
    scaled = (np.where(finite, values, low) - low) / max(high - low, np.finfo(np.float64).tiny)
    stretched: Pixels = np.rint(scaled * 255).astype(np.uint8)[..., None]
    return stretched
