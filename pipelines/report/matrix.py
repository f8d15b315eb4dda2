"""A confusion matrix: true classes down, predicted ones across, shaded by their share of the true class."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import quantities
from pipelines.report.markup import Markup, element
from pipelines.report.plot import note

STEPS = 9  # shades of the style sheet's sequential palette
MOST_CLASSES = 12  # more cannot be read in a table of this width


def confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """The matrix as a table.

    Args:
        classes: names, in the order of rows and columns.
        counts: `counts[i][j]`: rows of class i that were taken for class j.
    """
    if not classes:
        return note("No labelled rows.")
    if len(classes) > MOST_CLASSES:
        return note(f"{len(classes)} classes are too many to show; the card holds them all.")
    head = element("tr", element("th", "true \\ predicted"), *(element("th", name, class_="num") for name in classes))
    body = (_row(name, row) for name, row in zip(classes, counts, strict=True))
    return element("div", element("table", head, *body, class_="matrix"), class_="scroll")


def _row(name: str, counts: Sequence[int]) -> Markup:
    total = sum(counts)
    cells = (
        element(
            "td",
            quantities.count(count),
            class_=f"num q{_step(count, total)}" if count else "num",
            title=f"{quantities.percent(count, total)} of {name}",
        )
        for count in counts
    )
    return element("tr", element("th", name), *cells)


def _step(count: int, total: int) -> int:
    return min(STEPS - 1, STEPS * count // total)
