"""How scores are distributed: one histogram for each scalar score and each class."""

from __future__ import annotations

import numpy as np

from models.arrow import Float32
from pipelines import quantities
from pipelines.report.markup import Markup, element, join
from pipelines.report.plot import axis, frame, line, note
from pipelines.report.sample import Sample

BINS = 40  # bars that a plot 300 px wide still shows apart
TAIL = 0.005  # share of values at either end that may stretch a histogram no further


def panels(sample: Sample) -> list[tuple[str, Float32]]:
    """(title, `[n]` values) of every histogram: one for a scalar score, else one per class."""
    found: list[tuple[str, Float32]] = []
    for name, values in sample.scores.items():
        if values.shape[1] == 1:
            # Of two classes the last is the one that is scored.
            scored = sample.classes.get(name, [])[-1:]
            found.append((" = ".join([name, *scored]), values[:, 0]))
            continue
        likeliest = np.argsort(-values.mean(axis=0), kind="stable")
        found += [(f"{name} = {sample.class_name(name, int(k))}", values[:, k]) for k in likeliest]
    return found


def score_range(values: Float32) -> tuple[float, float]:
    """What a histogram spans: [0, 1] for probabilities, else all values but a TAIL at either end."""
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    inner = [float(q) for q in np.quantile(values, (TAIL, 1 - TAIL))]
    pad = 0.1 * (inner[1] - inner[0])
    low, high = max(low, inner[0] - pad), min(high, inner[1] + pad)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def histogram(title: str, values: Float32) -> Markup:
    """How `[n]` scores are distributed, with the median marked; what lies outside is counted below."""
    if not len(values):
        return note("No rows.")
    low, high = score_range(values)
    counts, edges = np.histogram(values, bins=BINS, range=(low, high))
    top, width = int(counts.max()) or 1, 100 / BINS
    bars = (_bar(i * width, width, 100 * n / top, (edges[i], edges[i + 1]), int(n)) for i, n in enumerate(counts) if n)
    median = float(np.median(values))
    at = 100 * min(max((median - low) / (high - low), 0), 1)
    shapes = [*bars, line((at, 0), (at, 100), "median")]
    label = f"Histogram of {title}: {len(values)} rows, median {quantities.number(median)}"
    return join([frame(label, shapes, axis(low, high)), _summary(values, len(values) - int(counts.sum()))])


def _bar(x: float, width: float, height: float, edges: tuple[float, float], rows: int) -> Markup:
    title = element("title", f"{edges[0]:.4g} to {edges[1]:.4g}: {quantities.count(rows)} rows")
    return element(
        "rect", title, x=x + 0.08 * width, y=100 - height, width=0.84 * width, height=height, class_="column"
    )


def _summary(values: Float32, outside: int) -> Markup:
    facts = [
        ("median", np.median(values)),
        ("mean", values.mean(dtype=np.float64)),
        ("std", values.std(dtype=np.float64)),
    ]
    shown = [element("span", name, " ", element("b", quantities.number(float(value)))) for name, value in facts]
    beyond = f"{quantities.count(outside)} outside the picture" if outside else None
    return element("p", *shown, element("span", beyond) if beyond else None, class_="facts")
