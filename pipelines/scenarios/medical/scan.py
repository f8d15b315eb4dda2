"""A chest film: clouds in the lungs show opacity, the width of the heart's shadow heart."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipelines.scenarios.pictures import format_of, written
from pipelines.scenarios.streams import Floats

Pixels = npt.NDArray[np.float32]

_FORMATS = (("PNG", 0.5), ("JPEG", 1.0))  # cumulative shares
_INVERTED = 0.04  # share of films stored as negatives
_COLOUR = 0.1  # share of films stored with three equal channels
_CLOUDS = 7  # at most, in both lungs
_RIBS = 6
# Middle (x, y) and radii of both lungs, in a picture from -1 to 1.
_LUNGS = ((-0.42, -0.02, 0.30, 0.62), (0.42, -0.02, 0.30, 0.62))


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """An encoded film, 96 to 144 pixels wide and high, of a standardized view `[2]`: opacity, heart."""
    height, width = (int(n) for n in 8 * rng.integers(12, 19, 2))
    opacity, heart = np.clip(shown, -2.6, 2.6).tolist()
    film = _film(opacity, heart, height, width, rng)
    if rng.random() < _INVERTED:
        film = 1 - film
    return _encode(Image.fromarray((np.clip(film, 0, 1) * 255).astype(np.uint8)), rng)


def _film(opacity: float, heart: float, height: int, width: int, rng: np.random.Generator) -> Pixels:
    """`[H, W]` from black (air) to white (bone)."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] + np.float32(rng.normal(0, 0.03))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] + np.float32(rng.normal(0, 0.03))
    lungs = np.maximum(*(_soft(_ellipse(x, y, *lung), 0.12) for lung in _LUNGS))  # [H, W]
    film = 0.62 - 0.42 * lungs - 0.35 * _soft(-_ellipse(x, y, 0, 0.1, 1.0, 1.15), 0.1)  # body, lungs, air around
    film += 0.05 * np.sin(np.float32(np.pi * _RIBS) * (y + 0.25 * x * x)) * lungs
    film += 0.14 * np.exp(-((x / np.float32(0.09)) ** 2))  # spine
    film += _clouds(opacity, x, y, rng) * lungs
    film = np.maximum(film, 0.66 * _heart(heart, x, y, rng))
    exposure, gamma = rng.uniform(0.9, 1.1), rng.uniform(0.9, 1.1)
    film = np.clip(film * np.float32(exposure), 0, 1) ** np.float32(gamma) + _grain(height, width, rng)
    return np.asarray(film, dtype=np.float32)


def _ellipse(x: Pixels, y: Pixels, middle_x: float, middle_y: float, radius_x: float, radius_y: float) -> Pixels:
    """`[H, W]` 1 in the middle, 0 on the border, negative outside."""
    across, down = (x - np.float32(middle_x)) / np.float32(radius_x), (y - np.float32(middle_y)) / np.float32(radius_y)
    return np.asarray(1 - np.sqrt(across**2 + down**2))


def _soft(inside: Pixels, edge: float) -> Pixels:
    """`[H, W]` 0 outside, 1 inside, with an edge of this width."""
    return np.asarray(np.clip(inside / np.float32(edge), 0, 1))


def _clouds(opacity: float, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    """Soft clouds; how much they hide in all grows with opacity, how many there are does not."""
    count = int(rng.integers(4, _CLOUDS + 1))
    sizes = rng.uniform(0.12, 0.22, count)
    places = rng.uniform(-1, 1, (count, 2))
    weight = 0.40 * np.exp(0.75 * (opacity - 0.4)) * 0.17 / np.sum(sizes**2)
    hidden = np.zeros(np.broadcast(x, y).shape, dtype=np.float32)
    for index, ((place, down), size) in enumerate(zip(places.tolist(), sizes.tolist(), strict=True)):
        lung_x, lung_y, radius_x, radius_y = _LUNGS[index % 2]
        across = (x - np.float32(lung_x + 0.6 * radius_x * place)) / np.float32(size)
        along = (y - np.float32(lung_y + 0.6 * radius_y * down)) / np.float32(size)
        hidden += np.exp(-(across**2)) * np.exp(-(along**2))
    return np.asarray(0.5 * (1 - np.exp(-np.float32(weight * 2) * hidden)))


def _heart(heart: float, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    """The heart's shadow, `[H, W]`: 0.16 to 0.5 of the half width."""
    radius = 0.31 + 0.068 * heart
    shadow = _ellipse(x, y, 0.1 + rng.normal(0, 0.02), 0.3 + rng.normal(0, 0.02), radius, 0.3)
    return _soft(shadow, 0.15)


@cache
def _noise_sheet() -> Pixels:
    """Noise to cut grain from: drawing it anew for every film would take a good part of all the time."""
    return np.random.default_rng(0).standard_normal((512, 512), dtype=np.float32)


def _grain(height: int, width: int, rng: np.random.Generator) -> Pixels:
    top, left = rng.integers(0, 512 - 144, 2)
    return _noise_sheet()[top : top + height, left : left + width] * np.float32(rng.uniform(0.005, 0.025))


def _encode(image: Image.Image, rng: np.random.Generator) -> bytes:
    chance, is_colour, quality = rng.random(), rng.random() < _COLOUR, int(rng.integers(75, 95))
    return written(image.convert("RGB") if is_colour else image, format_of(_FORMATS, chance), quality)
