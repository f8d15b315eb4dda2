"""Values with their intervals, one below the other on one axis: predictors of a head, estimates of a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines import quantities
from pipelines.report.markup import Markup, decimal, element, join
from pipelines.report.plot import note

_MARGIN = 0.04  # of the axis, left free at both ends, so that no mark is cut


@dataclass(frozen=True)
class Mark:
    """One line: a value, and where it lies with 95 % confidence."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    main: bool = False
    """Drawn in the accent's colour: what counts."""
    remark: str = ""
    """Stands behind the name."""

    def numbers(self) -> list[float]:
        """What the axis must hold."""
        return [number for number in (self.value, self.low, self.high) if number is not None]


def forest(marks: Sequence[Mark], reference: tuple[str, float | None] | None = None) -> Markup:
    """Lines with a dot and a whisker each; a reference value stands as a dashed line through all of them.

    Args:
        marks: top to bottom.
        reference: what it is called and where it lies.
    """
    at = None if reference is None else reference[1]
    numbers = [number for mark in marks for number in mark.numbers()] + ([] if at is None else [at])
    if not numbers:
        return note("Nothing could be estimated.")
    low, high = min(numbers), max(numbers)
    pad = _MARGIN * (high - low) or 0.5
    axis = _Axis(low - pad, high + pad)
    rows = [cell for mark in marks for cell in _row(mark, axis, at)]
    legend = (
        element("p", f"Dashed: {reference[0]}, {quantities.number(at)}", class_="note") if reference and at else None
    )
    return join([element("div", *rows, class_="bars two forest"), legend])


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float

    def at(self, value: float) -> float:
        """Percent of the axis."""
        return 100 * (value - self.low) / (self.high - self.low)


def _row(mark: Mark, axis: _Axis, reference: float | None) -> list[Markup]:
    remark = element("span", f" {mark.remark}", class_="dim") if mark.remark else None
    name = element("span", element("b", mark.name) if mark.main else mark.name, remark, class_="name")
    if mark.value is None:
        return [name, element("div", class_="box"), element("span", "–", class_="num"), element("span")]
    interval, whisker = "no interval", None
    if mark.low is not None and mark.high is not None:
        interval = f"{quantities.number(mark.low)} to {quantities.number(mark.high)}"
        whisker = _whisker(axis, mark.low, mark.high)
    box = element(
        "div",
        _line(axis.at(reference)) if reference is not None else None,
        whisker,
        element("i", class_=f"point{' main' if mark.main else ''}", style=f"left:{decimal(axis.at(mark.value))}%"),
        class_="box",
        role="img",
        title=f"{quantities.number(mark.value)} ({interval})",
        aria_label=f"{mark.name}: {quantities.number(mark.value)}, {interval}",
    )
    number = element("span", quantities.number(mark.value), class_="num")
    return [name, box, number, element("span", interval, class_="num dim")]


def _whisker(axis: _Axis, low: float, high: float) -> Markup:
    left = axis.at(low)
    return element("i", class_="whisker", style=f"left:{decimal(left)}%;width:{decimal(axis.at(high) - left)}%")


def _line(at: float) -> Markup:
    return element("i", class_="reference", style=f"left:{decimal(at)}%")
