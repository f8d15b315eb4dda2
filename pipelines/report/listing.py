"""The report's tables: issues and quarantine with examples, and what is folded away below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import yaml

from pipelines import quantities
from pipelines.report.markup import Markup, decimal, element
from pipelines.report.plot import note
from transforms.ledger import UnitCounts

MOST_ROWS = 25  # codes that a person still reads; the rest stand in the manifest
LONGEST_KEY = 80  # characters of an example key that are shown


def codes(counted: Counter[str], counts: UnitCounts, bar: str) -> Markup:
    """Codes by falling rows: rows, share of the rows read, an example key."""
    ordered = sorted(((code, n) for code, n in counted.items() if n), key=lambda item: (-item[1], item[0]))
    shown, rest = ordered[:MOST_ROWS], ordered[MOST_ROWS:]
    most = shown[0][1] if shown else 1
    rows = [
        [
            element("span", code, class_="mono"),
            quantities.count(n),
            quantities.percent(n, counts.rows_read),
            _small_bar(n / most, bar),
            _key(counts.examples.get(code)),
        ]
        for code, n in shown
    ]
    left_out = quantities.count(sum(n for _, n in rest))
    more = f"and {quantities.count(len(rest))} more with {left_out} rows, in the manifest"
    return table(("Code", "Rows", "Share", "", "Example key"), rows, numbers={1, 2}, more=more if rest else None)


def _small_bar(share: float, class_: str) -> Markup:
    fill = element("i", class_=class_, style=f"width:{decimal(100 * share)}%")
    return element("div", fill, class_="bar", aria_hidden="true")


def _key(key: str | None) -> Markup:
    if not key:
        return element("span", "–", class_="dim")
    short = key if len(key) <= LONGEST_KEY else key[:LONGEST_KEY] + "…"
    # bdi: a key in a right-to-left script, or with a direction override in it, cannot reorder the row.
    return element("bdi", short, class_="mono")


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: frozenset[int] | set[int] = frozenset(),
    more: str | None = None,
) -> Markup:
    """A table; columns in `numbers` are right-aligned; `more` is a closing line over all columns."""

    def cell(tag: str, index: int, content: str) -> Markup:
        return element(tag, content, class_="num" if index in numbers else "text" if tag == "td" else None)

    head = element("tr", *(cell("th", i, text) for i, text in enumerate(headers)))
    body = [element("tr", *(cell("td", i, text) for i, text in enumerate(row))) for row in rows]
    if more:
        body.append(element("tr", element("td", more, colspan=len(headers)), class_="more"))
    whole = element("table", element("thead", head), element("tbody", *body))
    return element("div", whole, class_="scroll")


def folded(title: str, summary: str, content: Markup) -> Markup:
    """Something that is opened by a click."""
    return element("details", element("summary", title, element("span", summary, class_="dim")), content)


def as_yaml(value: object) -> Markup:
    """A value as YAML, in its own order."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return element("pre", text, class_="mono")


def pairs(values: Mapping[str, object]) -> Markup:
    """Name and value, nested names joined by dots."""
    rows = [[name, element("span", value, class_="mono")] for name, value in flat(values)]
    return table(("Name", "Value"), rows) if rows else note("Not recorded.")


def flat(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """`{"a": {"b": 1}}` as `[("a.b", "1")]`."""
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", str(value)))
    return found
