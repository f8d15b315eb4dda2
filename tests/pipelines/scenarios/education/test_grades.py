"""Grades."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.scenarios.education import grades
from pipelines.scenarios.streams import Bools, Floats

ROWS = 3_000


def drawn(shown: Floats, present: Bools) -> dict[str, pa.Array]:
    """Grades of so many pupils."""
    return grades.draw([np.random.default_rng(i) for i in range(len(shown))], shown, present)


@pytest.fixture(scope="module")
def shown() -> Floats:
    """What is shown of many pupils."""
    return np.random.default_rng(0).standard_normal((ROWS, 3))


def test_numbers_follow_what_is_shown(shown: Floats) -> None:
    """Each latent stands in two columns of its own, close to a monotone function of it."""
    columns = drawn(shown, np.ones(ROWS, bool))
    pairs = {0: ("mathematics", "science"), 1: ("language_points", "reading"), 2: ("attendance", "homework_done")}
    for index, names in pairs.items():
        for name in names:
            there = np.array(columns[name].is_valid())
            rank = np.argsort(np.argsort(columns[name].drop_null().to_numpy()))
            expected = np.argsort(np.argsort(shown[there, index]))
            assert np.corrcoef(rank, expected)[0, 1] > 0.95


def test_gaps(shown: Floats) -> None:
    """Absent records are null throughout; in others about 3 % of the values are, but never the level."""
    present = np.arange(ROWS) % 4 != 0
    for name, column in drawn(shown, present).items():
        nulls = ~np.array(column.is_valid())
        assert nulls[~present].all()
        expected = 0.0 if name == "level" else 0.03
        assert nulls[present].mean() == pytest.approx(expected, abs=4 * np.sqrt(0.03 * 0.97 / 2_250))


def test_the_level_is_foundation_where_little_skill_shows() -> None:
    """The bound is where `is_foundation` says it is."""
    shown = np.zeros((3, 3))
    shown[:, 0] = [-1.0, -0.9, 2.0]
    levels = drawn(shown, np.ones(3, bool))["level"].to_pylist()
    assert levels == ["foundation", "core", "honours"]
    assert grades.is_foundation(shown[:, 0]).tolist() == [True, False, False]


def test_no_rows() -> None:
    """Of nobody there are columns of length 0."""
    columns = drawn(np.zeros((0, 3)), np.zeros(0, bool))
    assert {len(column) for column in columns.values()} == {0}
