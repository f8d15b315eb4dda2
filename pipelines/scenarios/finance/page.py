"""What is printed, stamped and written on a page: inks that darken the paper they are laid on."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]

_SHEET = 512  # side of the sheets that pieces are cut from, in pixels
_LINE = 6  # pixels from one line of small print to the next


class Box(NamedTuple):
    """A part of a page, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def on(self, page: Pixels) -> Pixels:
        """The view `[3, h, w]` of this part of a page `[3, H, W]`."""
        _, height, width = page.shape
        rows = slice(round(self.top * height), round(self.bottom * height))
        return page[:, rows, round(self.left * width) : round(self.right * width)]


def lay(part: Pixels, ink: Pixels, cover: Pixels | float) -> None:
    """Darken a part `[3, h, w]` by an ink `[3]` (1 is none) where `cover` `[h, w]`, 0 to 1, says how densely."""
    part *= 1 - (1 - ink)[:, None, None] * np.asarray(cover, dtype=np.float32)


@cache
def noise_sheet() -> Pixels:
    """`[512, 512]` standard normals to cut grain from: drawing them anew for every page would cost a third of it."""
    return np.random.default_rng(0).standard_normal((_SHEET, _SHEET), dtype=np.float32)


@cache
def _print_sheet() -> Pixels:
    """`[512, 512]` coverage of small print: lines of words of letters, too small to be read."""
    rng = np.random.default_rng(1)
    letters = rng.uniform(0.25, 1, (_SHEET // _LINE + 1, 1, _SHEET)).astype(np.float32)
    is_gap = rng.random((len(letters), 1, _SHEET)) < 0.16
    strokes = letters * ~is_gap * np.array([0.55, 0.9, 0.8, 0.35, 0, 0], dtype=np.float32)[None, :, None]
    return np.ascontiguousarray(strokes.reshape(-1, _SHEET)[:_SHEET])


def piece(sheet: Pixels, height: int, width: int, rng: np.random.Generator, step: int = 1) -> Pixels:
    """A random piece `[height, width]` of a sheet, from a row that is a multiple of `step`."""
    top = step * int(rng.integers((_SHEET - height) // step))
    left = int(rng.integers(_SHEET - width))
    return sheet[top : top + height, left : left + width]


def text_block(part: Pixels, ink: Pixels, rng: np.random.Generator) -> None:
    """Lines of small print that fill a part of the page; the last line ends early."""
    _, height, width = part.shape
    cover = piece(_print_sheet(), height, width, rng, _LINE).copy()
    cover[height // _LINE * _LINE :] = 0
    cover[-_LINE - height % _LINE :, int(width * rng.uniform(0.3, 1)) :] = 0
    lay(part, ink, cover)


def bars(part: Pixels, heights: npt.NDArray[np.float64], ink: Pixels, rng: np.random.Generator) -> None:
    """A bar chart of `heights` `[n]`, 0 to 1, with its axes; drawn or printed more or less densely."""
    _, height, width = part.shape
    place = (np.arange(width) / width * len(heights)).astype(np.int64)
    within = np.arange(width) / width * len(heights) - place
    gap = rng.uniform(0.12, 0.24)
    top = height * (1 - heights[place])  # [w]
    cover = np.clip(np.arange(height)[:, None] + 1 - top[None, :], 0, 1) * (within >= gap)
    lay(part, ink, cover.astype(np.float32) * np.float32(rng.uniform(0.75, 1)))
    grey = np.full(3, 0.35, dtype=np.float32)
    lay(part[:, -1:], grey, 1.0)
    lay(part[:, :, :1], grey, 1.0)


def table(part: Pixels, rows: int, filled: float, ink: Pixels, rng: np.random.Generator) -> None:
    """A ruled table of `rows` rows, of which the first ones, `filled` of them all, hold entries."""
    _, height, width = part.shape
    pitch = height / rows
    full = round(filled * height)
    cover = piece(_print_sheet(), height, width, rng, _LINE).copy()
    cover[full:] = 0
    columns = np.cumsum(rng.dirichlet(np.full(int(rng.integers(3, 6)), 6.0)))[:-1]
    cover[:, (columns * width).astype(np.int64)] = 0
    lay(part, ink, cover)
    rule = np.full(3, 0.6, dtype=np.float32)
    for line in (np.arange(rows) * pitch).astype(np.int64).tolist():
        lay(part[:, line : line + 1], rule, 0.8)
    for line in (columns * width).astype(np.int64).tolist():
        lay(part[:, :, line : line + 1], rule, 0.8)


def seal(page: Pixels, middle: tuple[float, float], radius: float, ink: Pixels, rng: np.random.Generator) -> None:
    """A rubber stamp (ring, double ring, oval, box or star) around `middle`, both in pixels; worn in places."""
    _, height, width = page.shape
    y0, x0 = middle
    top, left = max(int(y0 - 1.4 * radius), 0), max(int(x0 - 1.4 * radius), 0)
    part = page[:, top : min(int(y0 + 1.4 * radius) + 1, height), left : min(int(x0 + 1.4 * radius) + 1, width)]
    y = (np.arange(part.shape[1], dtype=np.float32)[:, None] + np.float32(top - y0)) / np.float32(radius)
    x = (np.arange(part.shape[2], dtype=np.float32)[None, :] + np.float32(left - x0)) / np.float32(radius)
    angle = np.float32(rng.uniform(-0.5, 0.5))
    x, y = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    distance = _outline(int(rng.integers(5)), x, y)
    rim = np.clip((0.16 - np.abs(distance - 0.9)) * radius / 2 + 0.5, 0, 1)
    core = np.clip((0.6 - distance) * radius + 0.5, 0, 1)
    worn = np.clip(0.8 + 0.25 * piece(noise_sheet(), part.shape[1], part.shape[2], rng), 0, 1)
    lay(part, ink, np.maximum(rim, core * np.float32(0.75)) * worn)


def _outline(sort: int, x: Pixels, y: Pixels) -> Pixels:
    """A distance from the middle that is 1 on the stamp's edge."""
    if sort == 0:
        return np.asarray(np.maximum(np.abs(x), 1.25 * np.abs(y)))
    if sort == 1:
        return np.asarray(np.sqrt(x**2 + (1.35 * y) ** 2))
    radius = np.sqrt(x**2 + y**2)
    if sort == 2:
        return np.asarray(radius * (1 + 0.1 * np.cos(8 * np.arctan2(y, x))))
    return np.asarray(radius)


def pen_stroke(page: Pixels, box: Box, ink: Pixels, rng: np.random.Generator) -> None:
    """A signature: a pen that swings up and down, while it moves to the right."""
    part = box.on(page)
    _, height, width = part.shape
    t = np.linspace(0, 1, 12 * width // 2)
    waves = rng.uniform(3, 9, 3)[:, None] * t + rng.uniform(0, 1, 3)[:, None]
    swing = rng.uniform(0.2, 1, 3) @ np.sin(2 * np.pi * waves)
    back = 0.06 * np.sin(2 * np.pi * (waves[0] + 0.25))
    x = np.clip((t * rng.uniform(0.6, 0.95) + back) * width, 0, width - 1).astype(np.int64)
    y = np.clip((0.5 + 0.22 * swing) * height, 0, height - 1).astype(np.int64)
    cover = np.zeros((height, width), dtype=np.float32)
    cover[y, x] = 0.85
    cover[np.minimum(y + 1, height - 1), x] = 0.6
    lay(part, ink, cover)
