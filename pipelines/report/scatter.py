"""The map of `fused`: each sampled row a dot, coloured by one head's score at a time, without any script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrow import Float32
from pipelines import quantities
from pipelines.report.bars import COLOURS, colour
from pipelines.report.markup import Markup, element, join
from pipelines.report.plot import note
from pipelines.report.projection import Projection, principal_plane
from pipelines.report.sample import Sample

STEPS = 9  # sequential colours of the style sheet
LAYERS = 4  # times that every colour is drawn over the others, so that no score always lies on top
SIDE = 1000  # units of the drawing's width: a third of a pixel on a phone, whole numbers for short paths
HEIGHT = 720  # units: wide enough for the first component, high enough for the second
MOST_HEADS = 6  # colourings offered; each costs some 50 kB
RIM = 6  # units: a dot's radius, so that none is cut
EDGE = 0.002  # share of rows at either end of an axis that may not stretch it: they are drawn at the rim
PAD = 0.04  # of the axis, kept free around the dots
COLOUR_RANGE = (0.02, 0.98)  # quantiles of a score that get the outermost colours


@dataclass(frozen=True)
class Colouring:
    """A colour for each dot, and what the colours mean."""

    name: str
    groups: npt.NDArray[np.int64]
    """`[n]` index into `classes`."""
    classes: tuple[str, ...]
    """Style class of each colour."""
    legend: Markup


def fused_map(sample: Sample) -> Markup:
    """The sampled fused vectors on their principal plane; one tab for each head."""
    if not sample.rows:
        return note("No published rows.")
    plane = principal_plane(sample.fused)
    if plane is None:
        return note("There is nothing to map: the fused vectors of all sampled rows are the same.")
    colourings = [_by_score(sample, name) for name in list(sample.scores)[:MOST_HEADS]] or [_plain(sample)]
    dots = _place(plane.points)
    return element(
        "div",
        *_tabs(colourings),
        *(_panel(c, dots) for c in colourings),
        _facts(plane, sample),
        class_="map",
    )


def _tabs(colourings: Sequence[Colouring]) -> list[Markup]:
    """A radio button and its label for each colouring: the style sheet shows the chosen one's panel."""
    if len(colourings) < 2:
        return []
    inputs = [
        element("input", type="radio", name="colouring", id=f"by{i}", class_=f"tab t{i}", checked=i == 0)
        for i in range(len(colourings))
    ]
    labels = (element("label", c.name, for_=f"by{i}") for i, c in enumerate(colourings))
    return [*inputs, element("div", element("span", "coloured by", class_="dim"), *labels, class_="tabs")]


def _panel(colouring: Colouring, dots: npt.NDArray[np.int64]) -> Markup:
    layer = np.arange(len(dots)) % LAYERS
    paths = [
        element("path", d=_dots(dots[(layer == level) & (colouring.groups == group)]), class_=f"dot {style}")
        for level in range(LAYERS)
        for group, style in enumerate(colouring.classes)
    ]
    label = f"Map of {len(dots)} fused vectors, coloured by {colouring.name}"
    svg = element("svg", *paths, viewBox=f"0 0 {SIDE} {HEIGHT}", role="img", aria_label=label)
    return element("div", svg, colouring.legend, class_="panel")


def _dots(points: npt.NDArray[np.int64]) -> str:
    """Path of zero-length strokes: with round caps each is a dot of the stroke's width, at 10 bytes a row."""
    return "".join(f"M{x} {y}h0" for x, y in points.tolist())


def _place(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """`[n, 2]` whole coordinates in the drawing, both axes to one scale."""
    low, high = np.quantile(points, EDGE, axis=0), np.quantile(points, 1 - EDGE, axis=0)
    span = np.maximum(high - low, 1e-30)
    low, span = low - PAD * span.max(), span + 2 * PAD * span.max()
    scale = min(SIDE / span[0], HEIGHT / span[1])
    centered = (points - (low + span / 2)) * scale * (1, -1) + (SIDE / 2, HEIGHT / 2)
    inside: npt.NDArray[np.float64] = np.clip(np.rint(centered), RIM, (SIDE - RIM, HEIGHT - RIM))
    return inside.astype(np.int64)


def _by_score(sample: Sample, name: str) -> Colouring:
    """By a scalar score's value, or by the most likely of several classes."""
    scores = sample.scores[name]
    return _by_value(name, scores[:, 0]) if scores.shape[1] == 1 else _by_class(sample, name)


def _by_value(name: str, values: Float32) -> Colouring:
    low, high = (float(q) for q in np.quantile(values, COLOUR_RANGE))
    scaled = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    groups = np.clip(np.floor(scaled * STEPS), 0, STEPS - 1).astype(np.int64)
    steps = element("span", *(element("i", class_=f"q{i}") for i in range(STEPS)), class_="ramp")
    ends = (f"≤ {quantities.number(float(f'{low:.3g}'))}", f"≥ {quantities.number(float(f'{high:.3g}'))}")
    legend = element("p", element("span", ends[0]), steps, element("span", ends[1]), class_="legend")
    return Colouring(name, groups, tuple(f"q{i}" for i in range(STEPS)), legend)


def _by_class(sample: Sample, name: str) -> Colouring:
    scores = sample.scores[name]
    likely = scores.argmax(axis=1)
    order = np.argsort(-np.bincount(likely, minlength=scores.shape[1]), kind="stable")
    shown = order[: COLOURS - 1] if len(order) > COLOURS else order
    groups = np.full(len(likely), len(shown), dtype=np.int64)
    for index, which in enumerate(shown):
        groups[likely == which] = index
    classes = (*(colour(i) for i in range(len(shown))), "other")
    names = [sample.class_name(name, int(which)) for which in shown] + (["others"] if len(order) > len(shown) else [])
    entries = (element("span", element("i", class_=f"swatch {c}"), n) for c, n in zip(classes, names, strict=False))
    return Colouring(name, groups, classes, element("p", *entries, class_="legend"))


def _plain(sample: Sample) -> Colouring:
    return Colouring("nothing", np.zeros(sample.rows, dtype=np.int64), ("accent",), Markup(""))


def _facts(plane: Projection, sample: Sample) -> Markup:
    across, up = (element("b", quantities.percent(share, 1)) for share in plane.explained)
    shown = f"{quantities.count(sample.rows)} of {quantities.count(sample.total_rows)} rows"
    spread = join(["principal components: ", across, " of the variance across, ", up, " up"])
    return element("p", element("span", shown), element("span", spread), class_="facts")


def checked_rules() -> str:
    """Style rules that show the panel of the chosen tab, and mark its label."""
    rules = []
    for i in range(MOST_HEADS):
        chosen = f".map > .t{i}:checked ~"
        rules.append(f"{chosen} .panel:nth-of-type({i + 2}){{display:block}}")
        rules.append(f"{chosen} .tabs label:nth-of-type({i + 1}){{color:var(--ink);background:var(--card)}}")
        focused = f".map > .t{i}:focus-visible ~ .tabs label:nth-of-type({i + 1})"
        rules.append(f"{focused}{{outline:2px solid var(--accent)}}")
    return "\n".join(rules)
