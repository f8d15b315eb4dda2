"""Series of transactions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.scenarios.finance import transactions
from pipelines.scenarios.streams import Bools, Floats

ROWS = 400
NOW = np.full(ROWS, 1_780_272_000_000_000)


def drawn(shown: Floats, present: Bools | None = None) -> pa.ListArray:
    """Series of these views, each from its own generator."""
    rngs = [np.random.default_rng(row) for row in range(ROWS)]
    return transactions.draw(shown, rngs, np.ones(ROWS, np.bool_) if present is None else present, NOW)


def in_order(series: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted by time."""
    return sorted(series, key=lambda event: event["time"])


def test_pressure_shows_in_the_balance_and_character_in_the_delay() -> None:
    """The mean balance falls with the first number shown, the log of the mean delay with the second."""
    shown = np.random.default_rng(0).standard_normal((ROWS, 2))
    series = drawn(shown).to_pylist()
    balance = [np.mean([event["balance"] for event in row]) for row in series]
    late = [np.log(0.3 + np.mean([event["days_late"] for event in row])) for row in series]
    assert np.corrcoef(balance, shown[:, 0])[0, 1] < -0.95
    assert np.corrcoef(late, shown[:, 1])[0, 1] < -0.9
    assert abs(np.corrcoef(balance, shown[:, 1])[0, 1]) < 0.2  # four standard errors: 4 / √400


def test_balances_are_the_sums_of_amounts() -> None:
    """In order of time, each balance is the one before plus the amount."""
    for row in drawn(np.zeros((ROWS, 2))).to_pylist()[:50]:
        ordered = in_order(row)
        for before, after in pairwise(ordered):
            assert after["balance"] == pytest.approx(before["balance"] + after["amount"], abs=0.011)


def test_only_bills_are_late() -> None:
    """What comes in has no due date; of the bills many are paid late."""
    events = pc.list_flatten(drawn(np.zeros((ROWS, 2))))
    amount, late = (events.field(name).to_numpy() for name in ("amount", "days_late"))
    assert not late[amount > 0].any()
    assert late[amount <= 0].mean() == pytest.approx(np.exp(1.5), rel=0.03)  # the rate at character 0


def test_most_are_in_order_of_time_and_some_are_not() -> None:
    """About 5 % of the series come unsorted, as from systems that merge logs; all lie within 90 days."""
    times = [row.values.field("time").cast("int64").to_numpy() for row in drawn(np.zeros((ROWS, 2)))]
    unsorted = sum(bool((np.diff(series) < 0).any()) for series in times)
    assert 5 < unsorted < 40
    assert all(NOW[0] > series.max() and NOW[0] - series.min() < 90 * 86_400_000_000 for series in times)


def test_absent_series_are_null() -> None:
    """Null where absent, and never an empty list."""
    present = np.arange(ROWS) % 3 > 0
    series = drawn(np.zeros((ROWS, 2)), present)
    np.testing.assert_array_equal(np.array(series.is_valid()), present)
    assert pc.min(pc.list_value_length(series)).as_py() >= 10
