"""Practice sessions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.scenarios.education import activity
from pipelines.scenarios.streams import Floats

NOW = 1_780_272_000_000_000  # 2026-06-01


def drawn(shown: Floats) -> pa.ListArray:
    """Sessions of so many pupils."""
    each = [np.random.default_rng(i) for i in range(len(shown))]
    return activity.draw(each, shown, np.ones(len(shown), bool), np.full(len(shown), NOW))


def test_types_and_absence() -> None:
    """One list of sessions per row, null where absent; values that others draw do not depend on it."""
    shown, each = np.zeros((3, 2)), [np.random.default_rng(i) for i in range(3)]
    found = activity.draw(each, shown, np.array([True, False, True]), np.full(3, NOW))
    assert found.type == pa.list_(activity.SESSION)
    assert found.is_valid().to_pylist() == [True, False, True]
    assert found[2].as_py() == drawn(shown)[2].as_py()


def test_sessions_lie_in_the_60_days_before() -> None:
    """All are earlier than the event, at least four of each pupil, and but for those four none is older."""
    for sessions in drawn(np.random.default_rng(0).standard_normal((60, 2))).to_pylist():
        days = [(NOW - session["time"].timestamp() * 1e6) / 86_400e6 for session in sessions]
        assert len(sessions) >= 4
        assert min(days) > 0
        assert len(sessions) == 4 or max(days) <= 60


def test_diligence_shows_in_the_rhythm() -> None:
    """Diligent pupils practise at least four times as often, and longer."""
    often, seldom = (drawn(np.tile([d, 0.0], (30, 1))) for d in (2.0, -2.0))
    assert len(often.flatten()) > 4 * len(seldom.flatten())
    mean = [np.mean(lists.flatten().field("duration").to_numpy()) for lists in (often, seldom)]
    assert mean[0] > 2 * mean[1]


def test_forgetting_shows_in_what_is_repeated_and_correct() -> None:
    """Who forgets repeats more, and has fewer right answers."""
    much, little = (drawn(np.tile([0.0, f], (30, 1))).flatten() for f in (2.0, -2.0))
    means = {
        name: [np.mean(part.field(name).to_numpy()) for part in (much, little)] for name in ("repeated", "correct")
    }
    assert means["repeated"][0] > means["repeated"][1] + 0.4
    assert means["correct"][0] < means["correct"][1] - 0.1


def test_some_series_are_not_sorted() -> None:
    """About one in twenty is not in order of time; pipelines must sort."""
    lists = drawn(np.zeros((400, 2))).to_pylist()
    unsorted = sum(times != sorted(times) for times in ([s["time"] for s in sessions] for sessions in lists))
    assert 5 < unsorted < 40
