"""Calibration: how often what was predicted came true, against how probable it was said to be."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import quantities
from pipelines.report.markup import Markup, element
from pipelines.report.plot import axis, frame, line, note

_SMALLEST, _LARGEST = 3.0, 9.0  # dots' width in px, by the root of their share of the rows


def reliability(bins: Sequence[tuple[float, float, int]], title: str) -> Markup:
    """Dots near the dashed diagonal are probabilities that can be believed; a dot's size is its rows' share.

    Args:
        bins: mean predicted probability, share that came true, rows.
        title: what is predicted.
    """
    filled = [(said, came, rows) for said, came, rows in bins if rows]
    if not filled:
        return note("No labelled rows.")
    most = max(rows for *_, rows in filled)
    dots = [
        element(
            "line",
            element("title", f"said {said:.2f}, came true {came:.2f}: {quantities.count(rows)} rows"),
            x1=100 * said,
            y1=100 - 100 * came,
            x2=100 * said,
            y2=100 - 100 * came,
            class_="dot accent",
            style=f"stroke-width:{_SMALLEST + (_LARGEST - _SMALLEST) * (rows / most) ** 0.5:.1f}px",
        )
        for said, came, rows in filled
    ]
    ticks = axis(0.0, 1.0)
    label = f"Calibration of {title} in {len(filled)} bins"
    plot = frame(label, [line((0, 100), (100, 0), "median"), *dots], ticks, ticks)
    return element("div", plot, class_="paced")
