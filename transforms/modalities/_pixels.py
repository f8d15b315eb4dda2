"""From untrusted bytes to a square of RGB pixels: signatures, limits, decoding, orientation, colour, size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.modalities._picture_file import ORIENTATION, essence, exif_orientation
from transforms.modalities.external import Refused

Fit: TypeAlias = Literal["crop", "pad", "stretch"]
Pixels: TypeAlias = npt.NDArray[np.uint8]

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
_FILTER = Image.Resampling.BICUBIC
_GAP = 3.0  # reduce by whole steps first, down to 3 times the target: Pillow calls the result indistinguishable
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF 2.3, tag 0x0112: how to turn the stored picture upright


def decode(content: memoryview, formats: Sequence[str], max_pixels: int, size: int, fit: Fit) -> Pixels:
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
            return np.asarray(_square(image, file.exif, size, fit))
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


def _square(image: Image.Image, exif: memoryview | None, size: int, fit: Fit) -> Image.Image:
    image.draft(None, (2 * size, 2 * size))  # JPEG alone: decodes at 1/2, 1/4 or 1/8 where twice `size` remains
    image.load()
    turn = _TRANSPOSE.get(_orientation(image, exif))
    small = _rgb(_resized(_averageable(image), size, fit))
    if small.size != (size, size):
        small = _centred_on_white(small, size)
    return small if turn is None else small.transpose(turn)  # turning the small one: each fit is symmetric


def _orientation(image: Image.Image, exif: memoryview | None) -> int:
    if image.format == "TIFF":
        found = getattr(image, "tag_v2", {}).get(ORIENTATION, 1)
        return found if isinstance(found, int) else 1  # damaged metadata do not make the pixels unusable
    return exif_orientation(exif or image.info.get("exif"))  # WebP keeps its own


def _averageable(image: Image.Image) -> Image.Image:
    """The image in a mode whose pixel values may be averaged: palette indices and colour keys may not."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA") or (image.mode in ("L", "RGB") and "transparency" in image.info):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _resized(image: Image.Image, size: int, fit: Fit) -> Image.Image:
    width, height = image.size
    target, box = (size, size), (0.0, 0.0, float(width), float(height))
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    elif fit == "pad":
        scale = size / max(width, height)
        target = (max(1, round(width * scale)), max(1, round(height * scale)))
    gap = None if image.mode.startswith("I;16") else _GAP  # Pillow cannot reduce 16-bit images by whole steps
    return image.resize(target, _FILTER, box=box, reducing_gap=gap)


def _rgb(image: Image.Image) -> Image.Image:
    """RGB; transparency on white, 16 bits scaled to 8, values without a defined white stretched to 0..255."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))  # 65535 = 255 · 257
    elif image.mode in ("I", "F"):
        image = Image.fromarray(_stretched(np.asarray(image, dtype=np.float64)))
    elif image.mode in ("RGBA", "RGBa", "LA"):
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return image.convert("RGB")


def _stretched(values: npt.NDArray[np.float64]) -> Pixels:
    finite = np.isfinite(values)
    if not finite.any():
        raise Refused("decode_failed")
    low, high = values[finite].min(), values[finite].max()
    scaled = (np.where(finite, values, low) - low) / max(high - low, np.finfo(np.float64).tiny)
    stretched: Pixels = np.rint(scaled * 255).astype(np.uint8)
    return stretched


def _centred_on_white(image: Image.Image, size: int) -> Image.Image:
    square = Image.new("RGB", (size, size), "white")
    square.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return square
