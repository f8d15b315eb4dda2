"""Damage of pupils' records."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.scenarios import damage
from pipelines.scenarios.education.damaged import SORTS
from pipelines.scenarios.education.scenario import SCENARIO
from pipelines.scenarios.layout import partitions
from pipelines.scenarios.sorts import Sort

NIGHT = partitions(20_000, 1, 1)[1]
COLUMNS = SCENARIO.rows(0, NIGHT, np.arange(1))[0].schema


def test_every_sort_appears_in_20_000_rows() -> None:
    """One record of each 333, and sorts come in turn, so none is left out."""
    planned = list(damage.plan(SCENARIO, 0, NIGHT))
    assert len(planned) == pytest.approx(60, abs=1)
    assert {d.sort.name for d in planned} == {sort.name for sort in SORTS}


@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.name)
def test_damage_fits_the_columns(sort: Sort) -> None:
    """Every sort replaces existing columns with one value that the column's type can hold."""
    for name, value in sort.replace(np.random.default_rng(0)).items():
        assert len(value.cast(COLUMNS.field(name).type)) == 1


def test_all_modalities_can_be_damaged() -> None:
    """Each of the five has sorts of its own, and what is allowed is never damaged."""
    prefixes = {sort.code.split(".")[0] for sort in SORTS}
    assert prefixes == {"answer", "essay", "speech", "grades", "activity", "key", "row"}
    absent = next(sort for sort in SORTS if sort.name == "all_absent").replace(np.random.default_rng(0))
    assert set(absent) == set(COLUMNS.names) - {"pupil_id", "event_time", "allowed"}
    assert all(value.null_count == 1 for value in absent.values() if isinstance(value, pa.Array))
