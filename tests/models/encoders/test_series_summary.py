"""Tests of the encoder of event series."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest

from models.encoders.series_summary import DAY, HOUR, RHYTHM_DIM, SeriesSummarySpec, rhythm, value_statistics
from tests.models.encoders.probe import explained

MONDAY_MORNING = 1_700_000_000 // (7 * DAY) * 7 * DAY + 4 * DAY + 9 * HOUR
TYPE = pa.list_(pa.struct([("time", pa.float64()), ("amount", pa.float32())]))


def series(times: Iterable[float], amounts: Iterable[float | None]) -> list[dict[str, float | None]]:
    """One series of events."""
    return [{"time": time, "amount": amount} for time, amount in zip(times, amounts, strict=True)]


def test_statistics_of_a_line() -> None:
    """Values 0, 1, 2, 3, 4, 5 a day apart: slope over the span 5, late minus early 4, and the plain moments."""
    found = value_statistics(np.arange(6.0), DAY * np.arange(6.0), np.array([0, 6]))

    assert found["mean"][0] == 2.5
    assert (found["min"][0], found["max"][0], found["first"][0], found["last"][0]) == (0, 5, 0, 5)
    assert found["std"][0] == pytest.approx(np.sqrt(35 / 12))
    assert found["slope"][0] == pytest.approx(5.0)
    assert found["late"][0] == pytest.approx(4.5 - 0.5)
    # Σ (x_i - m)(x_{i+1} - m) / Σ (x_i - m)² = (3.75 + 0.75 - 0.25 + 0.75 + 3.75) / 17.5
    assert found["lag"][0] == pytest.approx(8.75 / 17.5)


def test_one_event_and_none_are_finite() -> None:
    """A single event has no spread and no trend; no event has nothing."""
    found = value_statistics(np.array([3.0]), np.array([DAY]), np.array([0, 1, 1]))

    assert {name: column.tolist() for name, column in found.items() if name in ("mean", "std", "slope", "lag")} == {
        "mean": [3.0, 0.0],
        "std": [0.0, 0.0],
        "slope": [0.0, 0.0],
        "lag": [0.0, 0.0],
    }
    assert np.isfinite(rhythm(np.array([DAY]), np.array([0, 1, 1]))).all()


def test_the_date_itself_is_not_seen() -> None:
    """The same visits four weeks later have the same embedding, up to rounding."""
    times = MONDAY_MORNING + np.array([0, 1.5, 4, 9]) * DAY
    values = pa.array([series(times + weeks * 28 * DAY, [1, 2, 0, 1]) for weeks in (0, 1)], TYPE)

    first, second = SeriesSummarySpec().build()(values)

    np.testing.assert_allclose(first, second, atol=1e-5)


def test_hour_and_weekday_are_seen() -> None:
    """Mondays at nine: a quarter of the day, the first weekday, and no week-end."""
    found = rhythm(MONDAY_MORNING + 7 * DAY * np.arange(4.0), np.array([0, 4]))[0]
    hours, weekdays, weekend = found[22:26], found[26:31], found[31]

    # 3·sqrt(share) - 1, and 9 o'clock lies in the second quarter.
    assert hours.tolist() == [-1, 2, -1, -1]
    assert weekdays.tolist() == [2, -1, -1, -1, -1]
    assert weekend == -1


def test_absent_and_infinite_values_count_as_the_mean() -> None:
    """Null, NaN and infinity are as good as 0, the mean of z-scores."""
    times = [DAY, 2 * DAY]
    amounts: list[float | None] = [None, float("nan"), float("inf"), 0.0]
    rows = SeriesSummarySpec().build()(pa.array([series(times, [amount, 1.0]) for amount in amounts], TYPE))

    assert len(np.unique(rows, axis=0)) == 1


def test_series_of_times_alone_have_a_rhythm() -> None:
    """Without value fields the rest of the vector is zero."""
    values = pa.array([[{"time": DAY}, {"time": 3 * DAY}]], pa.list_(pa.struct([("time", pa.float64())])))

    row = SeriesSummarySpec().build()(values)[0]

    assert row[:RHYTHM_DIM].any()
    assert not row[RHYTHM_DIM:].any()


def test_a_linear_map_reads_level_trend_and_pace() -> None:
    """Level, trend and the mean gap of twenty noisy events are read from the embedding."""
    rng = np.random.default_rng(0)
    level, trend, pace = rng.normal(size=(3, 600))
    rows = []
    for mean, slope, log_gap in zip(level, trend, pace, strict=True):
        times = MONDAY_MORNING + np.cumsum(np.exp(0.5 * log_gap) * DAY * rng.uniform(0.5, 1.5, 20))
        rows.append(series(times, mean + slope * np.linspace(-1, 1, 20) + 0.3 * rng.normal(size=20)))

    embedded = SeriesSummarySpec().build()(pa.array(rows, TYPE))

    assert explained(embedded, level) > 0.95
    assert explained(embedded, trend) > 0.9
    assert explained(embedded, pace) > 0.9
