"""Tests of the ledger: it adds up or it raises."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from models.errors import LedgerUnbalanced
from transforms.ledger import Ledger, UnitCounts


def counts(read: int, published: int, quarantined: int) -> UnitCounts:
    """Counts with one reason for all that was quarantined."""
    return UnitCounts(read, published, Counter({"key.missing": quarantined} if quarantined else {}))


@pytest.mark.parametrize("wrong", [counts(9, 9, 0), counts(10, 10, 1), counts(10, 9, 0)])
def test_a_unit_that_does_not_add_up_is_named(wrong: UnitCounts) -> None:
    """Rows planned, read, and published + quarantined must be the same number."""
    with pytest.raises(LedgerUnbalanced, match=r"unit u1: .*planned 10"):
        Ledger.of([("u1", wrong)]).check({"u1": 10})


def test_missing_and_unknown_units_are_named() -> None:
    """A unit that nobody processed, or nobody planned, is an error even if the sums agree."""
    with pytest.raises(LedgerUnbalanced, match=r"missing \['b'\], unknown \['c'\]"):
        Ledger.of([("a", counts(1, 1, 0)), ("c", counts(2, 2, 0))]).check({"a": 1, "b": 2})


def test_a_balanced_ledger_passes() -> None:
    """Rows read = rows published + rows quarantined, per unit and in all."""
    ledger = Ledger.of([("a", counts(3, 2, 1)), ("b", counts(2, 2, 0))])

    ledger.check({"a": 3, "b": 2})

    total = ledger.total()
    assert (total.rows_read, total.rows_published, total.rows_quarantined) == (5, 4, 1)


def test_counts_survive_json() -> None:
    """What the manifest holds can be read back exactly."""
    one = counts(3, 2, 1)
    one.issues["photo.decode_failed"] += 1
    one.examples["photo.decode_failed"] = "k1"
    one.seconds["read"] = 0.25

    assert UnitCounts.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_examples_do_not_depend_on_scheduling() -> None:
    """The first unit's example wins, in whatever order the units arrive."""
    first, second = UnitCounts(examples={"x": "early"}), UnitCounts(examples={"x": "late"})

    assert Ledger.of([("b", second), ("a", first)]).total().examples == {"x": "early"}
