"""What every page shares: the document around it, and the cards that its sections stand in."""

from __future__ import annotations

from pipelines.report import scatter
from pipelines.report.markup import Child, Markup, element
from pipelines.report.style import style_sheet

# The page loads and runs nothing: even markup that got past the escaping could do no harm.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def document(title: str, content: Markup) -> Markup:
    """A whole page: one file without scripts, which loads nothing."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} · Amalgam"),
        element("style", Markup(style_sheet(scatter.checked_rules()))),
    )
    body = element("body", element("main", content))
    return Markup(f"<!doctype html>\n{element('html', head, body, lang='en')}\n")


def card(width: int, title: str, subtitle: str | None, *content: Child, long: bool = False) -> Markup:
    """A titled section, `width` of 12 columns wide; a `long` one may be broken over printed pages."""
    sub = element("p", subtitle, class_="sub") if subtitle else None
    return element("section", element("h2", title), sub, *content, class_=f"card w{width}{' long' if long else ''}")
