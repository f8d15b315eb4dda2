"""A scanned statement: its bar chart shows how stable the income is, its asset table and seal the collateral."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from pipelines.scenarios.finance.page import (
    Box,
    Pixels,
    bars,
    lay,
    noise_sheet,
    pen_stroke,
    piece,
    seal,
    table,
    text_block,
)
from pipelines.scenarios.pictures import format_of, written
from pipelines.scenarios.streams import Floats


class Layout(NamedTuple):
    """Where things stand on a form."""

    head: Box
    chart: Box
    assets: Box
    words: tuple[Box, ...]
    signature: Box
    seal: Box
    """Within which the seal has its middle."""


LAYOUTS = (
    Layout(
        head=Box(0.06, 0.03, 0.94, 0.09),
        chart=Box(0.08, 0.14, 0.92, 0.42),
        assets=Box(0.08, 0.48, 0.92, 0.78),
        words=(Box(0.08, 0.82, 0.5, 0.95),),
        signature=Box(0.5, 0.86, 0.94, 0.97),
        seal=Box(0.55, 0.72, 0.8, 0.86),
    ),
    Layout(
        head=Box(0.06, 0.03, 0.5, 0.12),
        chart=Box(0.08, 0.6, 0.92, 0.88),
        assets=Box(0.08, 0.24, 0.92, 0.54),
        words=(Box(0.08, 0.15, 0.6, 0.22),),
        signature=Box(0.08, 0.89, 0.6, 0.98),
        seal=Box(0.7, 0.1, 0.85, 0.2),
    ),
    Layout(
        head=Box(0.3, 0.03, 0.94, 0.08),
        chart=Box(0.08, 0.12, 0.56, 0.5),
        assets=Box(0.08, 0.56, 0.92, 0.84),
        words=(Box(0.62, 0.12, 0.94, 0.26), Box(0.08, 0.86, 0.4, 0.97)),
        signature=Box(0.5, 0.88, 0.94, 0.98),
        seal=Box(0.68, 0.34, 0.82, 0.48),
    ),
    Layout(
        head=Box(0.06, 0.92, 0.94, 0.97),
        chart=Box(0.44, 0.52, 0.94, 0.88),
        assets=Box(0.08, 0.16, 0.94, 0.46),
        words=(Box(0.08, 0.04, 0.6, 0.13), Box(0.06, 0.74, 0.4, 0.88)),
        signature=Box(0.62, 0.04, 0.96, 0.14),
        seal=Box(0.18, 0.56, 0.28, 0.66),
    ),
)

# Inks of seals, from no security at all (red) by amber to fully secured (green): red minus green falls along the way.
_SEALS = np.array([[0.8, 0.08, 0.1], [0.85, 0.4, 0.08], [0.75, 0.65, 0.1], [0.4, 0.62, 0.15], [0.05, 0.55, 0.22]])
_PRINT = np.array([[0.12, 0.12, 0.14], [0.1, 0.14, 0.32], [0.2, 0.2, 0.2], [0.22, 0.16, 0.28]], dtype=np.float32)
_PENS = np.array([[0.1, 0.15, 0.55], [0.1, 0.1, 0.12]], dtype=np.float32)
_GRAYSCALE = 0.03
_FORMATS = (("JPEG", 0.88), ("PNG", 0.93), ("WEBP", 0.98), ("TIFF", 1.0))  # cumulative shares
_SKEW = 1.5  # degrees, standard deviation: how straight pages lie on a scanner


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """An encoded page, 96 to 128 pixels wide, 128 to 160 high, of a standardized view `[2]`: stability, collateral."""
    height, width = 8 * int(rng.integers(16, 21)), 8 * int(rng.integers(12, 17))
    stability, collateral = np.clip(shown, -2.6, 2.6).tolist()
    page = _form(stability, collateral, height, width, rng)
    return _encode(_scanned(page, rng), rng)


def _form(stability: float, collateral: float, height: int, width: int, rng: np.random.Generator) -> Pixels:
    """The page `[3, H, W]` as it came from the printer, the pen and the stamp."""
    page = np.ones((3, height, width), dtype=np.float32)
    layout = LAYOUTS[rng.integers(len(LAYOUTS))]
    ink = _PRINT[rng.integers(len(_PRINT))]
    lay(layout.head.on(page), ink, float(rng.uniform(0.3, 0.9)))
    for box in layout.words:
        text_block(box.on(page), ink, rng)
    bars(layout.chart.on(page), _incomes(stability, rng), _PRINT[rng.integers(len(_PRINT))], rng)
    filled = float(np.clip(0.5 + 0.17 * collateral + rng.normal(0, 0.03), 0.03, 1))
    table(layout.assets.on(page), int(rng.integers(7, 13)), filled, ink, rng)
    pen_stroke(page, layout.signature, _PENS[rng.integers(len(_PENS))], rng)
    _stamp(page, layout.seal, collateral, rng)
    return page


def _incomes(stability: float, rng: np.random.Generator) -> Floats:
    """Heights `[n]` of the months' bars: stable incomes are high and even, unstable ones low, with holes."""
    months = rng.standard_normal(int(rng.choice([6, 8, 12])))
    level = 0.5 + 0.16 * stability
    spread = 0.16 * np.exp(-0.45 * stability)
    centred: Floats = level + spread * (months - months.mean())
    return np.clip(centred, 0.03, 1)


def _stamp(page: Pixels, box: Box, collateral: float, rng: np.random.Generator) -> None:
    _, height, width = page.shape
    place = (collateral / 5.2 + 0.5) * (len(_SEALS) - 1)
    mixed = np.array([np.interp(place, np.arange(len(_SEALS)), channel) for channel in _SEALS.T])
    ink = np.clip(mixed + rng.normal(0, 0.03, 3), 0, 1).astype(np.float32)
    middle = rng.uniform(box.top, box.bottom) * height, rng.uniform(box.left, box.right) * width
    seal(page, middle, float(width * rng.uniform(0.13, 0.17)), ink, rng)


def _scanned(page: Pixels, rng: np.random.Generator) -> Image.Image:
    """The page on a scanner's glass: tinted paper, uneven light, grain, not quite straight."""
    _, height, width = page.shape
    paper = (rng.uniform(0.86, 0.98) + rng.normal(0, 0.012, 3)).astype(np.float32)
    slope = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.normal(0, 0.02))
    page *= paper[:, None, None] + slope
    page += piece(noise_sheet(), height, width, rng) * np.float32(rng.uniform(0.005, 0.025))
    if rng.random() < 0.2:  # a fold
        page[:, int(height * rng.uniform(0.3, 0.7))] *= np.float32(0.85)
    np.clip(page, 0, 1, out=page)
    page *= 255
    image = Image.fromarray(np.ascontiguousarray(page.astype(np.uint8).transpose(1, 2, 0)))
    fill = tuple(int(255 * channel) for channel in paper)
    return image.rotate(float(rng.normal(0, _SKEW)), Image.Resampling.BILINEAR, fillcolor=fill)


def _encode(image: Image.Image, rng: np.random.Generator) -> bytes:
    is_gray, chance, quality = rng.random() < _GRAYSCALE, rng.random(), int(rng.integers(70, 93))
    return written(image.convert("L") if is_gray else image, format_of(_FORMATS, chance), quality)
