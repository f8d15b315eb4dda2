"""Pictures as files: in the formats that cameras and scanners write, some gray, some turned and tagged so."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image

Shares: TypeAlias = Sequence[tuple[str, float]]
"""Formats with their cumulative shares; the last is 1."""

# EXIF orientation tag -> what undoes it, so that who follows the tag sees it upright (EXIF 2.32, 4.6.4).
UNDO = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
_ORIENTATION = 0x0112
_FAST_PNG = 1  # zlib's level; its default takes three times as long


@dataclass(frozen=True)
class Camera:
    """How photos are kept."""

    formats: Shares
    gray: float
    """Share of photos without colour."""
    turned: float
    """Share of photos stored turned (as far as they are JPEGs), with an EXIF tag that says so."""
    quality: tuple[int, int]
    """Of JPEG and WebP: from, to (without)."""
    png_level: int = _FAST_PNG

    def photo(self, image: Image.Image, rng: np.random.Generator) -> bytes:
        """The image as this camera writes it."""
        is_gray, is_turned, chance = rng.random() < self.gray, rng.random() < self.turned, rng.random()
        quality, tag = int(rng.integers(*self.quality)), (3, 6, 8)[rng.integers(3)]
        name = format_of(self.formats, chance)
        exif = Image.Exif()
        if is_gray:
            image = image.convert("L")
        if is_turned and name == "JPEG":
            image = image.transpose(UNDO[tag])
            exif[_ORIENTATION] = tag
        return written(image, name, quality, exif=exif, png_level=self.png_level)


def format_of(formats: Shares, chance: float) -> str:
    """The format that a uniform number falls to."""
    return next(name for name, share in formats if chance < share)


def written(
    image: Image.Image, name: str, quality: int, *, exif: Image.Exif | None = None, png_level: int = _FAST_PNG
) -> bytes:
    """The file's bytes; `quality` counts for JPEG and WebP, `exif` for JPEG."""
    out = io.BytesIO()
    if name == "PNG":
        image.save(out, name, compress_level=png_level)
    elif name == "TIFF":
        image.save(out, name, compression="tiff_adobe_deflate")
    elif name == "WEBP":
        image.save(out, name, quality=quality, method=0)  # the default method takes five times as long
    elif exif is not None:
        image.save(out, name, quality=quality, exif=exif)
    else:
        image.save(out, name, quality=quality)
    return out.getvalue()
