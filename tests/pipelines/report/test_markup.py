"""Tests of markup: data can never become an element or leave its attribute."""

from __future__ import annotations

import pytest

from pipelines.report.markup import Markup, decimal, element, escape, join


def test_text_is_escaped() -> None:
    """Text that looks like an element is shown as text."""
    assert element("p", "<script>&") == "<p>&lt;script&gt;&amp;</p>"


def test_markup_is_kept() -> None:
    """An element inside an element is not escaped again."""
    assert element("p", element("b", "x")) == "<p><b>x</b></p>"


def test_an_attribute_cannot_be_left() -> None:
    """Quotes in an attribute's value stay in the value."""
    assert element("p", title="\"' onclick=x") == '<p title="&quot;&#x27; onclick=x"></p>'


def test_attribute_names_and_kinds() -> None:
    """Underscores become hyphens, None and False leave an attribute out, True writes its name."""
    made = element("input", class_="a", aria_label="b", checked=True, hidden=False, title=None, max=1.239)
    assert made == '<input class="a" aria-label="b" checked max="1.24">'


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\x9b", "\ud800", "\uffff"])
def test_what_html_cannot_hold_is_replaced(bad: str) -> None:
    """Control characters and lone surrogates become the replacement character, so that the file can be written."""
    assert escape(f"a{bad}b") == "a\ufffdb"


def test_join_leaves_out_none() -> None:
    """None stands for nothing."""
    assert join(["a", None, Markup("<b></b>")]) == "a<b></b>"


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.125, "0.12"), (-0.001, "0"), (100.0, "100")])
def test_decimal(value: float, text: str) -> None:
    """Coordinates are as short as two decimals allow (0.125 is exact in binary: half to even)."""
    assert decimal(value) == text
