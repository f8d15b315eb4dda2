"""Learning curves: loss or value over epochs or steps, one line for each series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pipelines import quantities
from pipelines.report.bars import colour
from pipelines.report.markup import Markup, decimal, element, join
from pipelines.report.plot import Tick, axis, frame, note, short

_HEADROOM = 0.05  # of the span, left free above and below


def curves(x: Sequence[float], series: Mapping[str, Sequence[float | None]], label: str) -> Markup:
    """Lines over the same x; what is not known (null) leaves a gap's ends joined.

    Args:
        x: epochs or steps, ascending.
        series: name -> one value for each x.
        label: what the plot shows, for those who cannot see it.
    """
    known = {name: _known(x, values) for name, values in series.items()}
    drawn = {name: points for name, points in known.items() if len(points) > 1}
    if not drawn:
        return note("Too few points to draw a curve.")
    ys = [y for points in drawn.values() for _, y in points]
    low, high = min(ys), max(ys)
    pad = _HEADROOM * (high - low) or 0.5
    low, high = low - pad, high + pad
    lines = [_line(points, (x[0], x[-1]), (low, high), colour(index)) for index, points in enumerate(drawn.values())]
    ends = [Tick(0.0, short(x[0])), Tick(1.0, short(x[-1]))]
    told = ", ".join(f"{name} ends at {quantities.number(points[-1][1])}" for name, points in drawn.items())
    legend = (element("span", element("i", class_=f"swatch {colour(index)}"), name) for index, name in enumerate(drawn))
    plot = element("div", frame(f"{label}: {told}", lines, ends, axis(low, high)), class_="paced")
    return join([element("p", *legend, class_="legend"), plot])


def _known(x: Sequence[float], values: Sequence[float | None]) -> list[tuple[float, float]]:
    return [(at, value) for at, value in zip(x, values, strict=True) if value is not None and math.isfinite(value)]


def _line(
    points: Sequence[tuple[float, float]], across: tuple[float, float], up: tuple[float, float], colour_class: str
) -> Markup:
    span, height = (across[1] - across[0]) or 1.0, up[1] - up[0]
    path = " ".join(
        f"{decimal(100 * (x - across[0]) / span)},{decimal(100 - 100 * (y - up[0]) / height)}" for x, y in points
    )
    return element("polyline", points=path, class_=f"curve {colour_class}")
