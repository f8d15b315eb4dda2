"""The frame that every plot with axes stands in.

Shapes are SVG stretched over the frame; words are HTML placed over it in percent. So a plot fills any width,
and its text is never scaled, can be selected, and follows the page's fonts and colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipelines.report.markup import Child, Markup, decimal, element


class Tick(NamedTuple):
    """A label on an axis, at a fraction of its length."""

    at: float
    text: str


def frame(label: str, shapes: Iterable[Child], x: Sequence[Tick] = (), y: Sequence[Tick] = ()) -> Markup:
    """A plot: shapes in a system of 100 by 100 with the origin at the top left, grid lines and labels."""
    grid = (line((0, 100 - 100 * tick.at), (100, 100 - 100 * tick.at), "grid") for tick in y)
    svg = element(
        "svg", *grid, *shapes, viewBox="0 0 100 100", preserveAspectRatio="none", role="img", aria_label=label
    )
    below = (element("span", t.text, class_="x", style=f"left:{decimal(100 * t.at)}%") for t in x)
    beside = (element("span", t.text, class_="y", style=f"bottom:{decimal(100 * t.at)}%") for t in y)
    return element("div", svg, *below, *beside, class_="plot")


def line(start: tuple[float, float], end: tuple[float, float], class_: str) -> Markup:
    """A straight line whose width does not stretch with the plot."""
    return element("line", x1=float(start[0]), y1=float(start[1]), x2=float(end[0]), y2=float(end[1]), class_=class_)


def note(text: str) -> Markup:
    """What stands in place of a figure that cannot be drawn."""
    return element("p", text, class_="note")


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) within [low, high], about as many as asked for."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def axis(low: float, high: float, about: int = 4) -> list[Tick]:
    """Ticks of an axis from low to high."""
    span = (high - low) or 1.0
    return [Tick((value - low) / span, short(value)) for value in nice_ticks(low, high, about)]


def short(value: float) -> str:
    """A number as short as an axis needs it: `0.25`, `1,500`, `20k`, `1.5M`."""
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= factor:
            return f"{value / (1e3 if suffix == 'k' else factor):.4g}{suffix}"
    return f"{value:,.4g}" if value else "0"
