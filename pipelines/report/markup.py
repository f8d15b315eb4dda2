"""HTML and SVG built so that data cannot become markup: whatever is not `Markup` is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

# Control characters that HTML forbids, and lone surrogates, which UTF-8 cannot hold.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
VOID = frozenset({"meta", "br", "input"})  # HTML elements that have no end tag


class Markup(str):
    """Text that is HTML already; everything else is escaped when it is put into an element."""

    __slots__ = ()


Child: TypeAlias = str | None
Attribute: TypeAlias = str | int | float | bool | None


def escape(text: str) -> Markup:
    """Text as HTML that shows exactly this text, in content and in attribute values."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(UNPRINTABLE.sub("\ufffd", text), quote=True))


def join(children: Iterable[Child]) -> Markup:
    """Children one after the other; None is left out."""
    return Markup("".join(escape(child) for child in children if child is not None))


def element(tag: str, *children: Child, **attributes: Attribute) -> Markup:
    """`<tag attributes>children</tag>`.

    Args:
        tag: element name.
        children: escaped unless they are Markup; None is left out.
        attributes: a trailing underscore is dropped, others become hyphens (`class_`, `aria_label`); None and
            False leave it out, True writes its name alone, floats get at most two decimals.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    content = join(children)
    return Markup(f"<{tag}{written}>" if tag in VOID else f"<{tag}{written}>{content}</{tag}>")


def _attribute(name: str, value: Attribute) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    return f' {name}="{escape(decimal(value) if isinstance(value, float) else str(value))}"'


def decimal(value: float) -> str:
    """A coordinate with at most two decimals: finer than any screen shows in a picture of this size."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
