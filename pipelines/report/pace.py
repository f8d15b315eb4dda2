"""Rows per second over the run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines import quantities
from pipelines.report.markup import Markup, decimal, element, join
from pipelines.report.plot import Tick, frame, line, nice_ticks, note, short

TIME_BINS = 60  # steps of the throughput curve: finer than this is noise of unit ends


def throughput(curve: Sequence[Sequence[float]]) -> Markup:
    """Rows per second over the run from [[seconds, rows done], …], with the average as a dashed line."""
    points: npt.NDArray[np.float64] = np.asarray([point[:2] for point in curve], dtype=np.float64).reshape(-1, 2)
    seconds, rows = points[:, 0], points[:, 1]
    if len(points) < 2 or not seconds[-1] > seconds[0]:
        return note("The run was too short to draw its pace.")
    times = np.linspace(seconds[0], seconds[-1], min(TIME_BINS, 2 * len(points)) + 1)
    rate = np.maximum(np.diff(np.interp(times, seconds, rows)) / np.diff(times), 0)
    mean = max(float((rows[-1] - rows[0]) / (seconds[-1] - seconds[0])), 0)
    ticks = nice_ticks(0, float(rate.max()) * 1.08) if rate.max() > 0 else [0.0]
    top = max(float(rate.max()) * 1.08, 1e-9)
    xs, ys = np.linspace(0, 100, len(rate)), 100 - 100 * rate / top
    path = " ".join(f"{decimal(x)},{decimal(y)}" for x, y in zip(xs, ys, strict=True))
    shapes = [
        element("polygon", points=f"0,100 {path} 100,100", class_="area"),
        element("polyline", points=path, class_="curve"),
        line((0, 100 - 100 * mean / top), (100, 100 - 100 * mean / top), "median"),
    ]
    average, peak = (f"{quantities.count(value)} rows/s" for value in (mean, rate.max()))
    label = f"Rows per second over time: {average} on average, {peak} at most"
    ends = [Tick(f, quantities.duration(f * (seconds[-1] - seconds[0]))) for f in (0.0, 0.5, 1.0)]
    facts = [
        element("span", "average ", element("b", average)),
        element("span", "peak ", element("b", peak)),
    ]
    return join(
        [
            frame(label, shapes, ends, [Tick(t / top, short(t)) for t in ticks]),
            element("p", *facts, class_="facts"),
        ]
    )
