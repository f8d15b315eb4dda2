"""Strokes of a handwritten sheet: what a pen does for each sign, for a tick, a cross and a crossing-out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Path: TypeAlias = npt.NDArray[np.float64]
"""`[k, 2]` points (x to the right, y downwards) of one stroke without lifting the pen."""


def _arc(x: float, y: float, width: float, height: float, start: float, stop: float, points: int = 7) -> Path:
    """Part of an ellipse around (x, y); angles in turns, clockwise from the right."""
    angle = 2 * np.pi * np.linspace(start, stop, points)
    return np.stack([x + width / 2 * np.cos(angle), y + height / 2 * np.sin(angle)], axis=1)


def _line(*points: tuple[float, float]) -> Path:
    return np.array(points)


GLYPHS: Mapping[str, tuple[Path, ...]] = {
    "0": (_arc(0.5, 0.5, 0.8, 1.0, 0.75, 1.78, 9),),
    "1": (_line((0.25, 0.3), (0.6, 0.0), (0.6, 1.0)),),
    "2": (np.concatenate([_arc(0.5, 0.28, 0.7, 0.56, 0.55, 1.08), _line((0.15, 1.0), (0.9, 1.0))]),),
    "3": (np.concatenate([_arc(0.45, 0.25, 0.7, 0.5, 0.6, 1.2), _arc(0.45, 0.73, 0.8, 0.54, 0.75, 1.4)]),),
    "4": (_line((0.65, 1.0), (0.65, 0.0), (0.1, 0.65), (0.95, 0.65)),),
    "5": (np.concatenate([_line((0.85, 0.0), (0.25, 0.0), (0.2, 0.45)), _arc(0.45, 0.68, 0.8, 0.62, 0.72, 1.4)]),),
    "6": (np.concatenate([_line((0.75, 0.0), (0.3, 0.4)), _arc(0.5, 0.7, 0.75, 0.6, 0.5, 1.55, 9)]),),
    "7": (_line((0.1, 0.0), (0.9, 0.0), (0.4, 1.0)), _line((0.3, 0.5), (0.8, 0.5))),
    "8": (np.concatenate([_arc(0.5, 0.25, 0.6, 0.5, 0.25, 1.25, 8), _arc(0.5, 0.75, 0.8, 0.5, 0.75, -0.25, 8)]),),
    "9": (np.concatenate([_arc(0.5, 0.3, 0.7, 0.6, 1.0, 0.0, 8), _line((0.85, 0.3), (0.7, 1.0))]),),
    "+": (_line((0.1, 0.5), (0.9, 0.5)), _line((0.5, 0.15), (0.5, 0.85))),
    "-": (_line((0.1, 0.5), (0.9, 0.5)),),
    "=": (_line((0.1, 0.38), (0.9, 0.38)), _line((0.1, 0.65), (0.9, 0.65))),
}
"""What may be written -> its strokes, in a box of 1 x 1."""

TICK = _line((0.0, 0.55), (0.3, 1.0), (1.0, 0.0))
CROSS = (_line((0.1, 0.05), (0.9, 0.95)), _line((0.9, 0.05), (0.1, 0.95)))


def scribble(width: float, height: float, turns: int) -> Path:
    """A zigzag over a box of this width and height."""
    x = np.linspace(0, width, 2 * turns)
    return np.stack([x, np.where(np.arange(2 * turns) % 2 == 0, 0.1, 0.9) * height], axis=1)
