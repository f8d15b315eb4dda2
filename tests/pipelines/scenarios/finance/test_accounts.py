"""Accounts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.scenarios.finance import accounts
from pipelines.scenarios.finance.accounts import CATEGORICAL, NUMERIC, REVIEW_CLASSES, is_watched
from pipelines.scenarios.streams import Bools, Floats

ROWS = 1_500
SHOWN = np.random.default_rng(0).standard_normal((ROWS, 3))


def drawn(shown: Floats = SHOWN, present: Bools | None = None) -> dict[str, pa.Array]:
    """Accounts of these views, each from its own generator."""
    rngs = [np.random.default_rng(row) for row in range(len(shown))]
    return accounts.draw(shown, rngs, np.ones(len(shown), np.bool_) if present is None else present)


@pytest.mark.parametrize(
    ("name", "index", "sign"),
    [("debt_ratio", 0, 1), ("limit_used", 0, 1), ("revenue_swing", 1, -1), ("assets_pledged", 2, 1)],
)
def test_numbers_show_the_view(name: str, index: int, sign: int) -> None:
    """The logarithm of each follows one number shown, and neither of the others."""
    column = drawn()[name]
    known = np.array(column.is_valid())
    values = np.log(column.drop_null().to_numpy())
    found = [np.corrcoef(values, SHOWN[known, i])[0, 1] for i in range(3)]
    assert sign * found[index] > 0.9
    assert all(abs(found[i]) < 0.11 for i in range(3) if i != index)  # four standard errors: 4 / √1440


def test_columns_are_those_named() -> None:
    """Numbers, then categories, in the order of the job file."""
    assert tuple(drawn()) == (*NUMERIC, *CATEGORICAL)


def test_single_values_are_missing_but_never_the_review_class() -> None:
    """About 4 % of each column are null; the class that decides what is allowed is always there."""
    columns = drawn()
    assert columns["review_class"].null_count == 0
    for name in set(columns) - {"review_class"}:
        assert 0.02 < columns[name].null_count / ROWS < 0.065


def test_watched_firms_are_those_under_high_pressure() -> None:
    """The review class says what `is_watched` says, and all four classes occur."""
    classes = drawn()["review_class"]
    np.testing.assert_array_equal(pc.equal(classes, "watch").to_numpy(zero_copy_only=False), is_watched(SHOWN[:, 0]))
    assert set(classes.to_pylist()) == set(REVIEW_CLASSES)


def test_absent_accounts_are_null_in_every_column() -> None:
    """No column has a value where the accounts are absent."""
    present = np.arange(ROWS) % 4 > 0
    for column in drawn(present=present).values():
        assert not np.array(column.is_valid())[~present].any()


def test_no_rows_no_values() -> None:
    """An empty partition has empty columns."""
    assert all(len(column) == 0 for column in drawn(np.zeros((0, 3))).values())
