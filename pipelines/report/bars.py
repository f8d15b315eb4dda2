"""Bars along a line, in HTML: what each modality was, how much it weighs, where the time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.arrow import Bool, Float32
from pipelines import quantities
from pipelines.report.markup import Child, Markup, decimal, element, join
from pipelines.report.plot import note
from transforms.ledger import UnitCounts

COLOURS = 8  # categorical colours of the style sheet; names beyond them use them again
WHISKERS = (0.05, 0.25, 0.5, 0.75, 0.95)  # quantiles of a box: whisker, box, median, box, whisker


def colour(index: int) -> str:
    """Class of the index-th categorical colour."""
    return f"c{index % COLOURS}"


def modality_names(counts: UnitCounts, has: Mapping[str, Bool]) -> list[str]:
    """Modalities in the order of the published columns, then those that only the ledger knows."""
    return [*has, *sorted({*counts.present, *counts.absent, *counts.masked} - set(has))]


def presence(names: Sequence[str], counts: UnitCounts) -> Markup:
    """Per modality, the shares of published rows in which it was present, absent, or there but unusable."""
    if not names or not counts.rows_published:
        return note("No published rows.")
    rows = [_presence_row(name, counts) for name in names]
    legend = _legend([("present", "present"), ("absent", "absent"), ("masked", "unusable, masked")])
    head = _head("", "absent", "masked")
    return join([legend, element("div", head, *rows, class_="bars two")])


def _presence_row(name: str, counts: UnitCounts) -> Markup:
    total = counts.rows_published
    parts = [(state, getattr(counts, state)[name]) for state in ("present", "absent", "masked")]
    told = ", ".join(f"{quantities.percent(rows, total)} {state}" for state, rows in parts)
    bar = element(
        "div",
        *(element("i", class_=state, style=f"width:{decimal(100 * rows / total)}%") for state, rows in parts if rows),
        class_="bar",
        role="img",
        title=told,
        aria_label=f"{name}: {told}",
    )
    cells = [quantities.percent(rows, total) for _, rows in parts[1:]]
    return _row(name, bar, *cells)


def weights(names: Sequence[str], shares: Mapping[str, Float32], has: Mapping[str, Bool]) -> Markup:
    """Mean shares over all rows as one stacked bar; below, each modality's shares where it is present."""
    known = [name for name in names if name in shares and len(shares[name])]
    if not known:
        return note("No published rows.")
    means = {name: float(shares[name].mean(dtype=np.float64)) for name in known}
    colours = {name: colour(index) for index, name in enumerate(names)}
    stacked = element(
        "div",
        *(element("i", class_=colours[n], style=f"width:{decimal(100 * means[n])}%", title=n) for n in known),
        class_="bar tall",
        role="img",
        aria_label="Mean share in the fused vector: "
        + ", ".join(f"{name} {quantities.percent(mean, 1)}" for name, mean in means.items()),
    )
    boxes = [_box_row(n, shares[n][has[n]] if n in has else shares[n], means[n], colours[n]) for n in known]
    return join([stacked, element("div", _head("share where present", "median", "mean"), *boxes, class_="bars two")])


def _box_row(name: str, values: Float32, mean: float, colour_class: str) -> Markup:
    if not len(values):
        return _row(name, element("div", class_="box"), "–", quantities.percent(mean, 1))
    low, first, median, third, high = (100 * float(q) for q in np.quantile(values, WHISKERS))
    halves, most = f"{first:.0f} to {third:.0f} %", f"{low:.0f} to {high:.0f} %"
    told = f"median {median:.0f} %, half from {halves}, nine in ten from {most}"
    box = element(
        "div",
        element("i", class_="whisker", style=f"left:{decimal(low)}%;width:{decimal(high - low)}%"),
        element(
            "i",
            class_=f"half {colour_class}",
            style=f"left:{decimal(first)}%;width:{decimal(third - first)}%",
        ),
        element("i", class_="middle", style=f"left:{decimal(median)}%"),
        class_="box",
        role="img",
        title=told,
        aria_label=f"{name}: {told}",
    )
    return _row(name, box, f"{median:.0f} %", quantities.percent(mean, 1), swatch=colour_class)


def stages(seconds: Mapping[str, float]) -> Markup:
    """Seconds in each stage, longest first; added over processes, so their sum may exceed the run's time."""
    spent = sorted(((name, value) for name, value in seconds.items() if value > 0), key=lambda item: -item[1])
    if not spent:
        return note("No stage was timed.")
    total, longest = sum(value for _, value in spent), spent[0][1]
    rows = []
    for name, value in spent:
        fill = element("i", class_="accent", style=f"width:{decimal(100 * value / longest)}%")
        bar = element("div", fill, class_="bar bare", aria_hidden="true")
        rows.append(_row(name, bar, quantities.duration(value), quantities.percent(value, total)))
    return element("div", *rows, class_="bars two")


def _row(name: str, bar: Markup, *cells: str, swatch: str | None = None) -> Markup:
    mark = element("i", class_=f"swatch {swatch}") if swatch else None
    return join([element("span", mark, name, class_="name"), bar, *(element("span", c, class_="num") for c in cells)])


def _head(bar: Child, *cells: str) -> Markup:
    return join(
        [
            element("span"),
            element("span", bar, class_="dim"),
            *(element("span", c, class_="num dim") for c in cells),
        ]
    )


def _legend(entries: Sequence[tuple[str, str]]) -> Markup:
    return element(
        "p",
        *(element("span", element("i", class_=f"swatch {c}"), text) for c, text in entries),
        class_="legend",
    )
