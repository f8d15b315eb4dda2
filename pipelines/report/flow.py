"""The ledger as a picture: a band for what was published and one for each reason of quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pipelines import quantities
from pipelines.report.markup import Markup, decimal, element
from pipelines.report.plot import note
from transforms.ledger import UnitCounts

FULL_HEIGHT = 130  # px of all rows read
THINNEST = 3  # px: a reason with one row of a million must still be seen
LABEL_HEIGHT = 46  # px of a label's two lines and the space below
MOST_REASONS = 6  # bands that can be told apart; the rest are drawn as one
BEND = 45  # control points of a band's curves, in percent of its length


class Band(NamedTuple):
    """One way that rows went: pixels from the top where it leaves and arrives, and how thick it is."""

    name: str
    rows: int
    leaves: float
    arrives: float
    thickness: float

    @property
    def path(self) -> str:
        """SVG path of the band in a coordinate system 100 wide and one pixel a unit high."""
        a, b, t, c = decimal(self.leaves), decimal(self.arrives), self.thickness, BEND
        a2, b2 = decimal(self.leaves + t), decimal(self.arrives + t)
        return f"M0 {a}C{c} {a} {100 - c} {b} 100 {b}V{b2}C{100 - c} {b2} {c} {a2} 0 {a2}Z"


def main_reasons(quarantined: Counter[str]) -> list[tuple[str, int]]:
    """Reasons by falling rows (then by name), the smallest of too many added up as `N other reasons`."""
    ordered = sorted(((k, n) for k, n in quarantined.items() if n), key=lambda item: (-item[1], item[0]))
    if len(ordered) <= MOST_REASONS:
        return ordered
    kept, rest = ordered[: MOST_REASONS - 1], ordered[MOST_REASONS - 1 :]
    return [*kept, (f"{len(rest)} other reasons", sum(n for _, n in rest))]


def bands(ways: Sequence[tuple[str, int]]) -> list[Band]:
    """Bands from top to bottom: side by side where they leave, a label's height apart where they arrive."""
    total = sum(rows for _, rows in ways) or 1
    placed: list[Band] = []
    leaves = arrives = 0.0
    for name, rows in ways:
        thickness = max(FULL_HEIGHT * rows / total, THINNEST) if rows else 0.0
        placed.append(Band(name, rows, leaves, arrives, thickness))
        leaves += thickness
        arrives += max(thickness + LABEL_HEIGHT / 4, LABEL_HEIGHT)
    return placed


def flow(counts: UnitCounts) -> Markup:
    """Rows read on the left, published and quarantined on the right; every number of the ledger in words."""
    if not counts.rows_read:
        return note("No rows were read.")
    placed = bands([("published", counts.rows_published), *main_reasons(counts.quarantined)])
    height = round(max(band.arrives + max(band.thickness, LABEL_HEIGHT) for band in placed))
    told = ", ".join(f"{band.rows} {band.name}" for band in placed)
    svg = element(
        "svg",
        *(_drawn(band, counts.rows_read) for band in placed),
        element("rect", x=0, y=0, width=0.4, height=placed[-1].leaves + placed[-1].thickness),
        viewBox=f"0 0 100 {height}",
        preserveAspectRatio="none",
        style=f"height:{height}px",
        role="img",
        aria_label=f"Of {counts.rows_read} rows read: {told}",
    )
    labels = element("div", *(_label(band, counts.rows_read) for band in placed), class_="ways")
    read = element("div", element("b", quantities.count(counts.rows_read)), "rows read", class_="from")
    return element("div", read, svg, labels, class_="flow")


def _drawn(band: Band, read: int) -> Markup:
    title = element("title", f"{band.name}: {quantities.count(band.rows)} rows, {quantities.percent(band.rows, read)}")
    return element("path", title, d=band.path, class_="good" if band.name == "published" else "lost")


def _label(band: Band, read: int) -> Markup:
    amount = element("b", quantities.count(band.rows))
    share = element("span", quantities.percent(band.rows, read), class_="dim")
    # A thick band's label stands at its middle, a thin one's at its top.
    top = band.arrives + max(band.thickness / 2 - LABEL_HEIGHT / 2, -6)
    name = element("span", band.name, class_="name")
    kind = "way good" if band.name == "published" else "way lost"
    return element("div", element("div", amount, " ", share), name, class_=kind, style=f"top:{decimal(top)}px")
