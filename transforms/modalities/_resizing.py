"""From an upright picture to the square that an encoder takes: where its edges fall, and two ways to get there.

The fast way uses the vector instructions of the CPU, the exact way is Pillow's own, which the image processors of
transformers use without torchvision. Both are two passes, rows first, with 8 bits between them; the fast one's
coefficients have 16 bits, so that some 0.5 % of its values are one level off.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from cykooz_resizer import CropBox, FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer
from PIL import Image

Fit: TypeAlias = Literal["crop", "pad", "stretch"]
Resample: TypeAlias = Literal["bilinear", "bicubic", "lanczos"]
Pixels: TypeAlias = npt.NDArray[np.uint8]

_PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_FAST = {
    "bilinear": FilterType.bilinear,
    "bicubic": FilterType.catmull_rom,  # the cubic with a = -0.5, as Pillow's
    "lanczos": FilterType.lanczos3,
}
_REACH = {"bilinear": 1, "bicubic": 2, "lanczos": 3}
"""How far a filter looks to each side, in pixels of the larger of both pictures."""
_GAP = 3  # averaging over blocks stops at 3 times the target: Pillow calls the result indistinguishable
_LONGEST = 8
"""Sides up to 8 : 1 are scaled exactly, because that computes what is cropped, too: 1 by 10,000 would be a gigabyte."""
_MOST_AT_ONCE = 4_000_000
"""Pixels that the fast way takes, because it makes two copies of 4 bytes each: 32 MB."""


class Geometry(NamedTuple):
    """How a picture becomes a square."""

    size: int
    """Side of the square."""
    edge: int
    """`crop`: what the shorter side, `stretch`: what both sides are scaled to, before the centre is kept; >= size."""
    fit: Fit
    resample: Resample
    exact: bool
    shrink_to: int = 2
    """How many times the edge must remain of a JPEG that is shrunk while it is decoded."""


class Window(NamedTuple):
    """A scaled picture, and the part of it that is kept; pixels."""

    scaled: tuple[int, int]  # width, height
    left: int
    top: int
    width: int
    height: int

    def turned(self) -> Window:
        """The same of a picture that lies on its side."""
        return Window((self.scaled[1], self.scaled[0]), self.top, self.left, self.height, self.width)


def window(full: tuple[int, int], geometry: Geometry, *, sideways: bool = False) -> Window:
    """Where a picture of this width and height ends up: the integers that transformers computes, too.

    Args:
        full: width and height as it is stored.
        geometry: the square that is wanted.
        sideways: whether the picture is stored lying on its side.
    """
    width, height = full[::-1] if sideways else full
    size, edge = geometry.size, geometry.edge
    if geometry.fit == "pad":
        scale = size / max(width, height)
        scaled = (max(1, round(width * scale)), max(1, round(height * scale)))
        return Window(scaled, 0, 0, *scaled)
    if geometry.fit == "stretch":
        scaled = (edge, edge)
    else:
        long = int(edge * max(width, height) / min(width, height))
        scaled = (edge, long) if width <= height else (long, edge)
    return Window(scaled, (scaled[0] - size) // 2, (scaled[1] - size) // 2, size, size)


def reduced(image: Image.Image, target: Window) -> Image.Image:
    """A large image, averaged over blocks of pixels as long as three times the target remains; others as they are."""
    if max(image.width, target.width) * image.height <= _MOST_AT_ONCE:
        return image
    steps = tuple(max(1, side // (_GAP * wanted)) for side, wanted in zip(image.size, target.scaled, strict=True))
    return image if steps == (1, 1) else image.reduce((steps[0], steps[1]))


def centred(pixels: Pixels, size: int) -> Pixels:
    """`[size, size, 3]` around pixels `[height, width, 3]`, or 1 for grey; what they leave free is white."""
    height, width, _ = pixels.shape
    if pixels.shape == (size, size, 3):
        return pixels
    square = np.full((size, size, 3), 255, dtype=np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def resized_with_pillow(image: Image.Image, target: Window, resample: Resample) -> Image.Image:
    """The kept part of the scaled image, in any mode, without computing the rest.

    Pillow keeps the place in single precision: 1 value in 10,000 is one level off.
    """
    x, y = image.width / target.scaled[0], image.height / target.scaled[1]
    right, bottom = (target.left + target.width) * x, (target.top + target.height) * y
    box = (target.left * x, target.top * y, min(right, image.width), min(bottom, image.height))
    return image.resize((target.width, target.height), _PILLOW[resample], box=box)


def resized(image: Image.Image, target: Window, geometry: Geometry) -> Pixels:
    """`[height, width, 3]` of the kept part of the scaled image in mode RGB; 1 for L."""
    if geometry.exact and max(image.size) <= _LONGEST * min(image.size):
        whole = image.resize(target.scaled, _PILLOW[geometry.resample])
        kept = (target.left, target.top, target.left + target.width, target.top + target.height)
        return _pixels(whole.crop(kept))
    if geometry.exact or image.width * image.height > _MOST_AT_ONCE:
        return _pixels(resized_with_pillow(image, target, geometry.resample))
    return _resized_fast(image, target, geometry.resample)


def _pixels(image: Image.Image) -> Pixels:
    return np.asarray(image).reshape(image.height, image.width, -1)


def _resized_fast(image: Image.Image, target: Window, resample: Resample) -> Pixels:
    """Rows first, then columns, as Pillow does it: the other order gives a fifth of all values another level."""
    grey = image.mode == "L"
    kind = PixelType.U8 if grey else PixelType.U8x4
    content = image.tobytes() if grey else image.tobytes("raw", "RGBX")
    x, y = image.width / target.scaled[0], image.height / target.scaled[1]
    reach = math.ceil(_REACH[resample] * max(y, 1)) + 1
    first = max(0, math.floor(target.top * y) - reach)
    last = min(image.height, math.ceil((target.top + target.height) * y) + reach)

    rows = ImageData(target.width, last - first, kind)
    columns = ImageData(target.width, target.height, kind)
    across = _box(target.left * x, first, target.width * x, last - first, image.width, last)
    down = _box(0, target.top * y - first, target.width, target.height * y, target.width, last - first)
    resizer = Resizer()  # one for each picture: a common one would make threads wait for each other
    algorithm = ResizeAlg.convolution(_FAST[resample])
    resizer.resize(ImageData(*image.size, kind, content), rows, ResizeOptions(algorithm, False, across))
    resizer.resize(rows, columns, ResizeOptions(algorithm, False, down))
    return _unpacked(columns.get_buffer(), target, grey=grey)


def _box(left: float, top: float, width: float, height: float, most_right: int, most_bottom: int) -> CropBox:
    """A box that ends within the picture, although rounding may have stepped over."""
    return CropBox(left, top, min(width, most_right - left), min(height, most_bottom - top))


def _unpacked(content: bytes, target: Window, *, grey: bool) -> Pixels:
    if not grey:  # Pillow drops every fourth byte seven times faster than numpy
        whole = Image.frombuffer("RGBX", (target.width, target.height), content, "raw", "RGBX", 0, 1)
        content = whole.tobytes("raw", "RGB")
    return np.frombuffer(content, np.uint8).reshape(target.height, target.width, -1)
