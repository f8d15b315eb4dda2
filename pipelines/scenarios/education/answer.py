"""A handwritten answer, marked: the share of right lines shows procedural skill, the hand shows care."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pipelines.scenarios.education.strokes import CROSS, GLYPHS, TICK, Path, scribble
from pipelines.scenarios.pictures import Camera
from pipelines.scenarios.streams import Floats

Pixels: TypeAlias = npt.NDArray[np.float32]
Colour: TypeAlias = tuple[int, int, int]

_LINES = (5, 8)  # calculations on a sheet: 5 to 7
_MARGIN = 0.74  # where the teacher's marks begin, in widths of the sheet
_CAMERA = Camera(
    formats=(("JPEG", 0.9), ("PNG", 0.96), ("WEBP", 1.0)),
    gray=0.01,  # in these a tick differs from a cross by its shape alone
    turned=0.06,
    quality=(75, 93),
)
_INKS = ((25, 35, 120), (35, 35, 45), (20, 60, 150), (60, 45, 95))


class Hand(NamedTuple):
    """How a sheet is written; lengths in pixels."""

    width: int
    height: int
    rows: int
    drop: float
    """How far a line has sunk at the sheet's right edge."""
    shake: float
    """Standard deviation of a sign's height above its line."""
    struck: float
    """Share of the signs that is crossed out."""
    smudged: float
    """Share of the sheet below smudges."""
    slant: float
    """How far a sign's top leans to the right, in its heights."""


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """An encoded photo of a sheet, 96 to 160 pixels wide and high, of a standardized view `[2]`: skill, care."""
    skill, care = np.clip(shown, -2.6, 2.6).tolist()
    hand = _hand(0.5 - care / 5.6, rng)
    sheet = Image.fromarray(_paper(hand, rng))
    pen = ImageDraw.Draw(sheet)
    _smudge(pen, hand, rng)
    right = hand.rows * (0.5 + skill / 5.6)  # lines, the last one in part
    share = rng.permutation(np.clip(right - np.arange(hand.rows), 0, 1))  # [rows] how right each line is
    _write(pen, [_calculation(one > 0.5, rng) for one in share], hand, rng)
    _mark(pen, share, hand, rng)
    return _CAMERA.photo(_photographed(sheet, rng), rng)


def _hand(sloppy: float, rng: np.random.Generator) -> Hand:
    """The hand of somebody this sloppy, 0.04 to 0.96."""
    width = int(8 * rng.integers(12, 21))
    height = int(np.clip(width + 8 * rng.integers(-2, 3), 96, 160))
    rows = int(rng.integers(*_LINES))
    return Hand(
        width=width,
        height=height,
        rows=rows,
        drop=height * (0.3 * sloppy + rng.normal(0, 0.004)),
        shake=height * 0.022 * sloppy,
        struck=0.3 * sloppy,
        smudged=0.3 * sloppy,
        slant=rng.normal(0.1, 0.15),
    )


def _calculation(is_right: bool, rng: np.random.Generator) -> str:
    """A line like 38+24=62, or one with a wrong result."""
    low, high = sorted(int(n) for n in rng.integers(11, 50, 2))
    sign, result = ("+", high + low) if rng.random() < 0.5 else ("-", high - low)
    if not is_right:
        slip = int(rng.choice((-10, -1, 1, 2, 10)))
        result += slip if result + slip >= 0 else -slip
    return f"{high}{sign}{low}={result}"


def _write(pen: ImageDraw.ImageDraw, texts: list[str], hand: Hand, rng: np.random.Generator) -> None:
    ink = _INKS[rng.integers(len(_INKS))]
    thick = 2 if rng.random() < 0.7 or hand.width > 130 else 1
    boxes = _boxes(texts, hand, rng)
    for path in _glyphs(texts, boxes, hand):
        pen.line(path, fill=ink, width=thick)
    for path in _crossings(boxes, hand, rng):
        pen.line(path, fill=ink, width=2)


def _boxes(texts: list[str], hand: Hand, rng: np.random.Generator) -> Floats:
    """`[G, 4]` left, top, width and height of every sign."""
    row = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    place = np.concatenate([np.arange(len(text)) for text in texts])
    pitch = hand.height / (hand.rows + 2.0)
    step = hand.width * (_MARGIN - 0.08) / 8.6
    left = hand.width * 0.05 + place * step * rng.uniform(0.88, 1.0) + rng.normal(0, 0.06 * step, len(row))
    top = pitch * (0.35 + row) + hand.drop * left / hand.width + rng.normal(0, hand.shake, len(row))
    size = np.array([0.72 * step, 0.66 * pitch]) * rng.uniform(0.9, 1.1, (len(row), 2))
    return np.column_stack([left, top, size])


def _glyphs(texts: list[str], boxes: Floats, hand: Hand) -> Iterator[list[float]]:
    """Flat x, y, x, y … of every stroke."""
    strokes = [(index, path) for index, sign in enumerate("".join(texts)) for path in GLYPHS[sign]]
    lengths = np.array([len(path) for _, path in strokes])
    points = np.concatenate([path for _, path in strokes])  # [P, 2]
    left, top, width, height = np.repeat(boxes[[index for index, _ in strokes]], lengths, axis=0).T
    x = left + width * points[:, 0] + hand.slant * height * (0.5 - points[:, 1])
    flat = np.column_stack([x, top + height * points[:, 1]]).ravel().tolist()
    ends = (2 * np.cumsum(lengths)).tolist()
    return (flat[start:stop] for start, stop in zip([0, *ends], ends, strict=False))


def _crossings(boxes: Floats, hand: Hand, rng: np.random.Generator) -> Iterator[list[float]]:
    """Zigzags over as many signs as are struck out; the last one is covered in part."""
    struck = hand.struck * len(boxes)
    chosen = boxes[rng.permutation(len(boxes))[: int(np.ceil(struck))]]
    for (left, top, width, height), share in zip(chosen, struck - np.arange(len(chosen)), strict=True):
        path = scribble(1.2 * width * min(share, 1.0), 1.1 * height, 4) + np.array([left, top])
        yield path.ravel().tolist()


def _smudge(pen: ImageDraw.ImageDraw, hand: Hand, rng: np.random.Generator) -> None:
    """Three brownish spots below the writing, as large as the hand is careless."""
    brown = (int(rng.integers(205, 222)), int(rng.integers(186, 200)), int(rng.integers(150, 168)))
    area = hand.smudged * hand.width * hand.height
    for share in rng.dirichlet(np.full(3, 8.0)).tolist():
        flat = rng.uniform(0.7, 1.4)
        across, down = (np.sqrt(area * share / np.pi) * f for f in (flat, 1 / flat))
        x, y = rng.uniform(0.1, _MARGIN) * hand.width, rng.uniform(0.15, 0.85) * hand.height
        pen.ellipse((x - across, y - down, x + across, y + down), fill=brown)


def _mark(pen: ImageDraw.ImageDraw, share: Floats, hand: Hand, rng: np.random.Generator) -> None:
    """Green ticks and red crosses in the margin, each as large as the line was right or wrong."""
    green = (int(rng.integers(0, 50)), int(rng.integers(125, 165)), int(rng.integers(20, 80)))
    red = (int(rng.integers(195, 235)), int(rng.integers(10, 50)), int(rng.integers(20, 60)))
    pitch = hand.height / (hand.rows + 2.0)
    corner = np.array([hand.width * (_MARGIN + rng.uniform(0, 0.04)), 0.35 * pitch + 0.3 * hand.drop])
    box = np.array([0.2 * hand.width, 0.85 * pitch])
    for row, right in enumerate(share.tolist()):
        off = np.array([rng.normal(0, 0.01 * hand.width), row * pitch + rng.normal(0, 0.04 * pitch)])
        _stroke(pen, (TICK,), corner + off, box * right, green)
        _stroke(pen, CROSS, corner + off, box * (1 - right), red)


def _stroke(pen: ImageDraw.ImageDraw, paths: tuple[Path, ...], at: Floats, box: Floats, colour: Colour) -> None:
    if box.max() > 1:  # pixel
        for path in paths:
            pen.line((path * box + at).ravel().tolist(), fill=colour, width=3)


def _paper(hand: Hand, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Plain, ruled or squared paper `[H, W, 3]`, white to yellowish."""
    tone = np.array([248, 247, 242 - rng.integers(0, 22)])
    paper = np.broadcast_to(tone, (hand.height, hand.width, 3)).astype(np.uint8)
    sort, pitch = int(rng.integers(3)), int(rng.integers(8, 13))
    if sort >= 1:
        paper[pitch // 2 :: pitch] = (205, 215, 232)
    if sort == 2:
        paper[:, pitch // 2 :: pitch] = (205, 215, 232)
    return paper


@cache
def _noise_sheet() -> Pixels:
    """Noise to cut grain from: drawing it anew for every pixel would take most of the time."""
    return np.random.default_rng(0).standard_normal((512, 512), dtype=np.float32)


def _photographed(sheet: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Under a lamp to one side, with the camera's grain."""
    pixels = np.asarray(sheet, dtype=np.float32)
    height, width = pixels.shape[:2]
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.12)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(strength * np.sin(angle))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(strength * np.cos(angle))
    top, left = rng.integers(0, 512 - 160, 2)
    grain = _noise_sheet()[top : top + height, left : left + width] * np.float32(rng.uniform(1, 6))
    lit = pixels * (np.float32(rng.uniform(0.84, 0.96)) + x + y)[:, :, None] + grain[:, :, None]
    return Image.fromarray(np.clip(lit, 0, 255, out=lit).astype(np.uint8))
