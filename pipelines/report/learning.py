"""The page of an evaluation: what `amalgam evaluate` prints, for people who do not read it in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.report.markup import Markup, element, join
from pipelines.report.style import style_sheet

if TYPE_CHECKING:
    from pipelines.evaluate import Evaluation

# The page loads and runs nothing: even markup that got past the escaping could do no harm.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def learning_page(evaluation: Evaluation) -> Markup:
    """The whole document; the same evaluation gives the same page, byte by byte."""
    cards = [_card("Heads with labels", evaluation.labels_text())] if evaluation.rows else []
    cards += [_card(f"Policy {policy.head}", policy.text()) for policy in evaluation.policies]
    title = "Amalgam evaluation"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style_sheet("pre{overflow-x:auto;margin:0}"))),
    )
    main = element("main", element("header", element("h1", title)), element("div", join(cards), class_="grid"))
    return Markup(f"<!doctype html>\n{element('html', head, element('body', main), lang='en')}\n")


def _card(title: str, text: str) -> Markup:
    return element("section", element("h2", title), element("pre", text, class_="mono"), class_="card w12 long")
