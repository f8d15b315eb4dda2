"""Series of visits."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from pipelines.scenarios.retail import visits

ROWS = np.arange(1_000)
NOW = np.full(1_000, 1_780_272_000_000_000)


def rngs() -> list[np.random.Generator]:
    """One generator per row."""
    return np.random.default_rng(0).spawn(1_000)


def test_loyalty_shows_in_the_number_and_intent_in_the_amounts() -> None:
    """The log of the count follows the first number shown, the log of the mean amount the second."""
    shown = np.random.default_rng(0).standard_normal((1_000, 2))
    drawn = visits.draw(rngs(), shown, np.ones(1_000, dtype=np.bool_), NOW)
    counts = pc.list_value_length(drawn).to_numpy()
    amounts = [np.log([visit["amount"] for visit in row]).mean() for row in drawn.to_pylist()]
    assert np.corrcoef(np.log(counts), shown[:, 0])[0, 1] > 0.9
    assert np.corrcoef(amounts, shown[:, 1])[0, 1] > 0.9
    assert abs(np.corrcoef(amounts, shown[:, 0])[0, 1]) < 0.13  # four standard errors: 4 / √1000


def test_most_are_in_order_of_time_and_some_are_not() -> None:
    """About 5 % of the series come unsorted, as from systems that merge logs; all lie within 60 days."""
    drawn = visits.draw(rngs(), np.zeros((1_000, 2)), np.ones(1_000, dtype=np.bool_), NOW)
    times = [row.values.field("time").cast("int64").to_numpy() for row in drawn]
    unsorted = sum(bool((np.diff(series) < 0).any()) for series in times)
    assert 20 < unsorted < 85
    assert all(NOW[0] - series.min() < 60 * 86_400_000_000 for series in times)


def test_absent_series_are_null() -> None:
    """Null where absent, and never an empty list."""
    drawn = visits.draw(rngs(), np.zeros((1_000, 2)), ROWS % 3 > 0, NOW)
    np.testing.assert_array_equal(np.array(drawn.is_valid()), ROWS % 3 > 0)
    assert pc.min(pc.list_value_length(drawn)).as_py() >= 2
