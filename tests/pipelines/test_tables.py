"""Tests of the command line's tables: aligned, humanised, harmless, without colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from pydantic import Field

from models.spec import FAMILIES, Spec, discover
from pipelines import tables
from tests.pipelines.report.published import counts, manifest


@dataclass
class Compared:
    """A line of an evaluation."""

    features: str
    auc: float
    interval: tuple[float, float] | None = None


class PlainSpec(Spec[object]):
    """Adds things up.

    And more that a list need not say.
    """

    kind: ClassVar[str] = "plain"
    derived: ClassVar[frozenset[str]] = frozenset({"inputs"})

    dim: int = Field(default=256, ge=2)
    """Width of the
    result."""
    weights: str
    """Where the weights lie."""
    fitted: bool = True
    names: tuple[str, ...] = ("a", "b")
    limit: float | None = None
    inputs: dict[str, int] = Field(default_factory=dict)


def test_numbers_right_words_left() -> None:
    """Columns of numbers are right-aligned, the head is underlined, and no line ends in spaces."""
    assert tables.table(("code", "rows"), [["key.missing", 12_345], ["x", 1]]) == (
        "code            rows\n────────────────────\nkey.missing   12,345\nx                  1"
    )


def test_nothing_is_wrapped_without_a_width() -> None:
    """In a log file, a row is a line however long it is."""
    assert len(tables.table(("a", "b"), [["x", "word " * 500]]).splitlines()) == 3


def test_the_last_column_is_wrapped_to_a_width() -> None:
    """In a terminal, long texts fold inside their column."""
    lines = tables.table(("a", "b"), [["x", "word " * 40]], width=60).splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 60
    assert all(line.startswith("    ") for line in lines[3:])


def test_wide_characters_are_counted_as_shown() -> None:
    """A character that takes two cells moves the next column by two."""
    first, second = tables.table(("", ""), [["漢字", "x"], ["abcd", "x"]]).splitlines()
    assert first.index("x") == second.index("x") - 2


@pytest.mark.parametrize("force", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_no_colours_even_when_forced(monkeypatch: pytest.MonkeyPatch, force: str) -> None:
    """The environment cannot bring colours into the text."""
    monkeypatch.setenv(force, "1")
    assert "\x1b" not in tables.table(("a",), [["x"]])


@pytest.mark.parametrize("text", ["\x1b[31mred", "two\nlines", "\x9b31m", "\u202egpj.exe"])
def test_control_characters_are_replaced(text: str) -> None:
    """Data cannot colour, move or reverse a terminal's text."""
    assert tables.cell(text) == "\ufffd" + text[1:] if text[0] != "t" else "two\ufffdlines"


def test_brackets_are_text() -> None:
    """Square brackets in data are no markup."""
    assert "[red]x[/red]" in tables.table(("a",), [["[red]x[/red]"]])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (12_345, "12,345"),
        (0.81234, "0.8123"),
        ((0.8, 0.9), "0.8 to 0.9"),
        (["a", "b"], "a, b"),
    ],
)
def test_cells(value: object, text: str) -> None:
    """Values are shown as people read them."""
    assert tables.cell(value) == text


def test_records_of_dataclasses_and_mappings() -> None:
    """Both kinds of rows may stand in one table; what a row lacks is a dash."""
    shown = tables.records([Compared("photo", 0.71, (0.6, 0.8)), {"features": "fused", "auc": 0.9, "rows_held": 10}])
    assert shown.splitlines()[0].split() == ["features", "auc", "interval", "rows", "held"]
    assert shown.splitlines()[3].split() == ["fused", "0.9", "–", "10"]


def test_kinds_show_settings_as_job_files_hold_them() -> None:
    """One line for the kind, one for each setting with default and docstring; derived fields are hidden."""
    assert tables.kinds({"fusion": {"plain": PlainSpec}}) == (
        "FUSION\n\n"
        "  plain   Adds things up.\n"
        "    dim       256          Width of the result.\n"
        "    weights   required     Where the weights lie.\n"
        "    fitted    true\n"
        "    names     ['a', 'b']\n"
        "    limit     null"
    )


def test_every_real_kind_can_be_listed() -> None:
    """Whatever is registered has a description and shows none of its derived fields."""
    found: dict[str, dict[str, type[Spec[Any]]]] = {family: discover(family) for family in FAMILIES}
    shown = tables.kinds(found)
    specs = [(kind, spec) for kinds in found.values() for kind, spec in kinds.items()]
    assert specs
    for kind, spec in specs:
        assert f"  {kind}   " in shown
        assert tables.summary(spec)


def test_an_empty_family() -> None:
    """A family without kinds says so."""
    assert tables.kinds({"learner": {}}) == "LEARNER\n\n  none"


def test_ledger_tells_every_number() -> None:
    """Rows, reasons, issues with example keys, and modalities."""
    total = counts(1000, quarantined={"key.missing": 4}, issues={"photo.decode_failed": 7})
    lines = [line.split() for line in tables.ledger(manifest(total)).splitlines()]
    assert ["read", "1,000", "100", "%"] in lines
    assert ["published", "996", "99.6", "%"] in lines
    assert ["key.missing", "4", "0.40", "%", "key", "of", "key.missing"] in lines
    assert ["photo.decode_failed", "7", "0.70", "%", "key", "of", "photo.decode_failed"] in lines
    assert ["photo", "747", "249", "0", "0", "0", "0"] in lines


def test_a_clean_ledger_has_no_empty_tables() -> None:
    """Without quarantine and issues, there is no table of them."""
    shown = tables.ledger(manifest(counts(10), {}))
    assert "example key" not in shown


def test_runs_newest_first() -> None:
    """One line a run with rows, time and pace."""
    record = manifest(counts(1000, quarantined={"key.missing": 10}))
    shown = tables.runs([record]).splitlines()[2]
    # The curve of the fixture: 100 rows in 80 s.
    assert shown.split() == [
        *("2026-11-23-0123456789ab", "2026-11-23", "1,000", "990", "10", "(1.0", "%)", "1", "min", "20", "s", "1")
    ]


def test_runs_of_older_manifests() -> None:
    """Without timings there are dashes."""
    assert tables.runs([manifest(counts(10), {})]).splitlines()[2].split()[-2:] == ["–", "–"]


@pytest.mark.parametrize("shown", [tables.runs([]), tables.evaluation([]), tables.plan([])])
def test_nothing_to_show_is_a_sentence(shown: str) -> None:
    """Empty tables are sentences."""
    assert shown.endswith(".")
