"""Tests of what the series network reads of events."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.encoders.rnn_series import DAY, MONDAY, RnnSeriesSpec
from models.errors import ConfigError
from models.fusion.base import seeded

TYPE = pa.list_(pa.struct([("time", pa.float64()), ("amount", pa.float32())]))
START = MONDAY + 5 * 7 * DAY  # a Monday's midnight


def series(*rows: list[tuple[float, float | None]]) -> pa.Array:
    """Events of (seconds after START, amount)."""
    return pa.array([[{"time": START + t, "amount": v} for t, v in row] for row in rows], TYPE)


TAUGHT = RnnSeriesSpec(dim=32, hidden=16).taught(series([(0, 1.0)]))


def test_an_event_tells_its_gap_its_hour_and_its_values() -> None:
    """Log of days over 3; at midnight on Monday both angles are 0, at 6 o'clock the day has turned by a quarter."""
    steps = TAUGHT.inputs(series([(0, 1.0), (DAY / 4, None)])).steps

    # gap, first, sin and cos of the day, sin and cos of the week, amount, absent
    first = [0, 1, 0, 1, 0, 1, 1.0, 0]
    week = 2 * np.pi / 28
    second = [np.log(0.25) / 3, 0, 1, 0, np.sin(week), np.cos(week), 0, 1]
    np.testing.assert_allclose(steps, [first, second], atol=1e-6)


def test_the_date_itself_is_not_read() -> None:
    """What happens a year of weeks later in the same rhythm is the same."""
    events: list[tuple[float, float | None]] = [(0, 1.0), (1000, 2.0)]

    now, later = TAUGHT.inputs(series(events)), TAUGHT.inputs(series([(t + 52 * 7 * DAY, v) for t, v in events]))

    np.testing.assert_allclose(now.steps, later.steps, atol=1e-5)


def test_the_latest_events_are_kept() -> None:
    """What is kept still knows how long before it the last event was."""
    spec = TAUGHT.model_copy(update={"max_events": 2})

    inputs = spec.inputs(series([(0, 1.0), (10, 2.0), (20, 3.0)], [(5, 9.0)]))

    assert inputs.offsets.tolist() == [0, 2, 3]
    assert inputs.steps[:, 6].tolist() == [2.0, 3.0, 6.0]  # 9 is cut at six standard deviations
    assert inputs.steps[:, 1].tolist() == [0.0, 0.0, 1.0]


def test_other_values_than_in_training_are_refused() -> None:
    """Named, both."""
    other = pa.array(
        [[{"time": 0.0, "pages": 1.0}]], pa.list_(pa.struct([("time", pa.float64()), ("pages", pa.float32())]))
    )

    with pytest.raises(ConfigError, match=r"series must have the values \['amount'\], as in training; got \['pages'\]"):
        TAUGHT.inputs(other)


def test_left_out_events_close_up() -> None:
    """Those that stay keep their order, and the series is that much shorter."""
    with seeded(0):
        network = TAUGHT.model_copy(update={"event_dropout": 0.5}).network()
    x = torch.arange(1, 41, dtype=torch.float32).reshape(1, 40, 1).expand(1, 40, TAUGHT.features)

    shown, lengths = network.augment(x, torch.tensor([32]), torch.Generator().manual_seed(0))

    kept = shown[0, : int(lengths[0]), 0]
    assert 8 < len(kept) < 24
    assert (kept.diff() > 0).all()
    assert kept.max() <= 32
