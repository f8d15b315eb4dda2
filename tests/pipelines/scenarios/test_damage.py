"""Planning of damages, without drawing anything else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.scenarios import damage
from pipelines.scenarios.layout import Partition, partitions
from pipelines.scenarios.retail.scenario import SCENARIO
from pipelines.scenarios.sorts import Sort
from pipelines.scenarios.values import strings

HISTORY, NIGHT = partitions(20_000, 20_000, 1)


def test_three_in_a_thousand_rows_are_damaged() -> None:
    """One of each 333 rows: 60 of 20,000."""
    assert len(list(damage.plan(SCENARIO, 0, NIGHT))) == pytest.approx(60, abs=1)


@pytest.mark.parametrize("partition", [HISTORY, NIGHT], ids=lambda p: p.name)
def test_every_sort_appears_in_20_000_rows(partition: Partition) -> None:
    """Sorts come in turn, so none is left out."""
    assert {d.sort.name for d in damage.plan(SCENARIO, 0, partition)} == {
        s.name for s in damage.sorts_of(SCENARIO, partition)
    }


def test_keys_of_the_history_are_left_alone() -> None:
    """There a key names an episode and repeats by nature."""
    assert not any(d.sort.column == SCENARIO.key for d in damage.plan(SCENARIO, 0, HISTORY))


def test_plan_does_not_depend_on_chunks() -> None:
    """Planned in chunks of 70 rows it is the same plan."""
    chunks = [
        d for start in range(0, 20_000, 70) for d in damage.plan(SCENARIO, 3, NIGHT, start, min(start + 70, 20_000))
    ]
    assert chunks == list(damage.plan(SCENARIO, 3, NIGHT))


def test_a_repeated_key_is_that_of_an_earlier_good_row() -> None:
    """The row whose key is repeated stands before, and is itself not damaged."""
    for seed in range(20):
        planned = list(damage.plan(SCENARIO, seed, NIGHT))
        rows = {d.row for d in planned}
        repeats = [d for d in planned if d.key_of is not None]
        assert repeats
        assert all(d.key_of is not None and d.key_of < d.row and d.key_of not in rows for d in repeats)


def test_the_key_of_a_damaged_row_is_never_repeated() -> None:
    """Where the draw hits a damaged row, the one before it is taken."""
    hits = 0
    for seed in range(2_000):
        damaged = damage._row(seed, NIGHT, 0)
        key_of = damage._earlier(seed, NIGHT, 1, 400)
        hits += key_of == damaged - 1
        assert key_of != damaged
    assert hits > 1  # 2,000 draws out of 400 rows, twice as likely as the others: 10 are expected


def test_strings_keep_bytes_that_are_not_utf8() -> None:
    """A string column can hold what `pa.array` would refuse."""
    column = strings([b"caf\xe9", None, b"ok"])
    assert column.type == pa.string()
    assert column.cast(pa.binary()).to_pylist() == [b"caf\xe9", None, b"ok"]


@pytest.mark.parametrize("sort", SCENARIO.sorts, ids=lambda s: s.name)
def test_replacements_are_single_values(sort: Sort) -> None:
    """Every sort gives arrays of one, and always the same ones from the same stream."""
    first, second = (sort.replace(np.random.default_rng(5)) for _ in range(2))
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert len(value) == 1
        # As bytes, because a text may not be UTF-8 on purpose; as text, because NaN is not equal to NaN.
        as_bytes = [v.cast(pa.binary()) if pa.types.is_string(v.type) else v for v in (value, second[name])]
        assert str(as_bytes[0].to_pylist()) == str(as_bytes[1].to_pylist())
