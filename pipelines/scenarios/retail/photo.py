"""A product photo: hue and the texture's direction show tastes, the backdrop wealth, the shape what is sold."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipelines.scenarios.pictures import Camera
from pipelines.scenarios.retail.product import kind_of
from pipelines.scenarios.streams import Floats

Pixels = npt.NDArray[np.float32]

# Colours of products from one end of the first taste to the other; red minus blue grows along the way.
_HUES = np.array([[0.12, 0.25, 0.85], [0.15, 0.6, 0.75], [0.4, 0.65, 0.3], [0.85, 0.7, 0.15], [0.9, 0.3, 0.12]])
_EDGE = 24.0  # contrast of a shape's edge: about four pixels from inside to outside
_CAMERA = Camera(
    formats=(("JPEG", 0.9), ("PNG", 0.96), ("WEBP", 1.0)), gray=0.03, turned=0.08, quality=(70, 93), png_level=-1
)


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """An encoded photo, 96 to 160 pixels wide and high, of a standardized view `[4]`."""
    height, width = (int(n) for n in 8 * rng.integers(12, 21, 2))
    pixels = _scene(shown, height, width, rng)
    return _CAMERA.photo(Image.fromarray(pixels), rng)


def _scene(shown: Floats, height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    hue, direction, lightness, kind = np.clip(shown, -2.6, 2.6).tolist()
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    backdrop = _backdrop(lightness, x, y, rng)  # [3, H, W]: plane by plane is twice as fast as pixel by pixel
    shape = _shape(kind_of(kind), x - np.float32(rng.normal(0, 0.1)), y - np.float32(rng.normal(0, 0.1)), rng)  # [H, W]
    pattern = _texture(direction, x, y, rng)  # [H, W]
    scene = _colour(hue, rng)[:, None, None] * (1 + np.float32(rng.uniform(0.3, 0.5)) * pattern)  # [3, H, W]
    scene -= backdrop
    scene *= shape
    scene += backdrop
    scene *= _light(x, y, rng)
    scene += _grain(height, width, rng)
    np.clip(scene, 0, 1, out=scene)
    scene *= 255
    return np.ascontiguousarray(scene.astype(np.uint8).transpose(1, 2, 0))  # [H, W, 3]


def _light(x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    """Exposure times a fall-off to one side, [H, W]."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.2)
    exposure = np.exp(rng.normal(0, 0.06))
    along, down = (np.float32(exposure * strength * f(angle)) for f in (np.cos, np.sin))
    return np.asarray(np.float32(exposure) + along * x + down * y)


def _colour(hue: float, rng: np.random.Generator) -> Pixels:
    place = (hue / 5.2 + 0.5) * (len(_HUES) - 1)
    mixed = [np.interp(place, np.arange(len(_HUES)), channel) for channel in _HUES.T]
    return np.asarray(np.array(mixed) * rng.uniform(0.85, 1.1) + rng.normal(0, 0.03, 3), dtype=np.float32)


def _backdrop(lightness: float, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    paint = (0.52 + 0.16 * lightness + rng.normal(0, 0.03, 3)).astype(np.float32)  # [3]: grey with a tint
    slope = np.float32(rng.normal(0, 0.08)) * y + np.float32(rng.normal(0, 0.05)) * x
    return paint[:, None, None] + slope


def _texture(direction: float, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    """Stripes, ribs, steps or weave in [-1, 1], 4 to 8 of them across the picture."""
    angle = np.pi * (0.43 + 0.145 * direction)  # 9° to 146°: the two ends of the taste do not meet
    along = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    turns = np.float32(np.pi * rng.uniform(4, 8))
    wave = np.sin(turns * along + np.float32(rng.uniform(0, 6.28)))
    sort = rng.integers(4)
    if sort == 1:
        wave = np.clip(3 * wave, -1, 1)
    elif sort == 2:
        wave = 1 - 2 * np.abs(wave)
    elif sort == 3:
        across = np.float32(-np.sin(angle)) * x + np.float32(np.cos(angle)) * y
        wave = 0.75 * wave + 0.25 * np.sin(turns * across)
    return np.asarray(wave, dtype=np.float32)


def _polygon(x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    sides, turned = int(rng.integers(3, 8)), rng.uniform(0, 6.28)
    angles = turned + 2 * np.pi * np.arange(sides) / sides
    distance = np.full(np.broadcast(x, y).shape, -1, dtype=np.float32)
    for angle in angles:
        np.maximum(distance, np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y, out=distance)
    distance *= np.float32(1.25)
    return distance


def _ellipse(x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    flat = np.float32(rng.uniform(0.75, 1.3))
    return np.asarray(np.sqrt((x * flat) ** 2 + (y / flat) ** 2), dtype=np.float32)


def _box(x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    flat = np.float32(rng.uniform(0.7, 1.4))
    return np.asarray(np.maximum(np.abs(x) * flat, np.abs(y) / flat), dtype=np.float32)


def _ring(x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    radius = _ellipse(x, y, rng)
    hole = np.float32(rng.uniform(0.15, 0.35))
    return np.asarray(np.maximum(radius, 2 * hole + np.float32(0.6) - radius))


def _bottle(x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    body = np.maximum(np.abs(x) * np.float32(rng.uniform(1.3, 1.7)), np.abs(y - 0.25) * np.float32(1.3))
    neck = np.maximum(np.abs(x) * np.float32(3.2), np.abs(y + 0.5) * np.float32(1.4))
    return np.asarray(np.minimum(body, neck))


def _cross(x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    arm = np.float32(rng.uniform(1.6, 2.4))
    lying, standing = np.maximum(np.abs(x), np.abs(y) * arm), np.maximum(np.abs(x) * arm, np.abs(y))
    return np.asarray(np.minimum(lying, standing))


_SHAPES: tuple[Callable[[Pixels, Pixels, np.random.Generator], Pixels], ...] = (
    _polygon,
    _ellipse,
    _box,
    _ring,
    _bottle,
    _cross,
)


def _shape(kind: int, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    """How much of each pixel is product, 0 to 1: a distance from the middle, cut at the product's size."""
    distance = _SHAPES[kind](x, y, rng)
    size = np.float32(rng.uniform(0.68, 0.88))
    return np.asarray(np.clip((size - distance) * np.float32(_EDGE / 2) + np.float32(0.5), 0, 1))


@cache
def _noise_sheet() -> Pixels:
    """Noise to cut grain from: drawing it anew for every pixel of every photo would take a third of all the time."""
    return np.random.default_rng(0).standard_normal((3, 512, 512), dtype=np.float32)


def _grain(height: int, width: int, rng: np.random.Generator) -> Pixels:
    top, left = rng.integers(0, 512 - 160, 2)
    return _noise_sheet()[:, top : top + height, left : left + width] * np.float32(rng.uniform(0.005, 0.03))
