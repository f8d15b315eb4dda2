"""Which records are damaged and how: planned in closed form, put in place of good values, and listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.arrow import set_column
from pipelines.scenarios.base import Scenario
from pipelines.scenarios.layout import Partition
from pipelines.scenarios.sorts import KEY_REPEATED, Sort
from pipelines.scenarios.streams import Stream, generator

BLOCK = 333  # one record of each block of so many is damaged: 0.3 %
_OFFSET = 6  # sorts by which each partition starts later, so that a small data set shows most of them
_ROW, _KEY_OF, _VALUES = range(3)  # what a block's streams are drawn for


@dataclass(frozen=True)
class Damage:
    """One damaged record: `row` of its partition."""

    row: int
    sort: Sort
    block: int
    key_of: int | None
    """The earlier row whose key a repeated key repeats."""


def sorts_of(scenario: Scenario, partition: Partition) -> tuple[Sort, ...]:
    """What can happen in a partition: in the history a key names an episode, so keys are left alone there."""
    return tuple(s for s in scenario.sorts if not (partition.is_history and s.column == scenario.key))


def plan(
    scenario: Scenario, seed: int, partition: Partition, start: int = 0, stop: int | None = None
) -> Iterator[Damage]:
    """The damaged rows of a partition from `start` to `stop`, in order; draws nothing else."""
    stop = partition.rows if stop is None else stop
    sorts = sorts_of(scenario, partition)
    for block in range(start // BLOCK, -(-stop // BLOCK)):
        row = _row(seed, partition, block)
        if start <= row < stop:
            sort = sorts[(block + _OFFSET * partition.number) % len(sorts)]
            key_of = _earlier(seed, partition, block, row) if sort.name == KEY_REPEATED else None
            yield Damage(row, sort, block, key_of)


def _row(seed: int, partition: Partition, block: int) -> int:
    # Never the first row of a block: so the row before a damaged one is always a good one.
    return block * BLOCK + 1 + int(generator(seed, Stream.DAMAGE, partition.number, block, _ROW).integers(BLOCK - 1))


def _earlier(seed: int, partition: Partition, block: int, row: int) -> int:
    other = int(generator(seed, Stream.DAMAGE, partition.number, block, _KEY_OF).integers(row))
    return other - 1 if other == _row(seed, partition, other // BLOCK) else other


def apply(
    scenario: Scenario,
    batch: pa.RecordBatch,
    damages: Sequence[Damage],
    first_row: int,
    seed: int,
    partition: Partition,
) -> pa.RecordBatch:
    """The batch, which starts at `first_row` of its partition, with these damages in place of its values."""
    for damage in damages:
        values = damage.sort.replace(generator(seed, Stream.DAMAGE, partition.number, damage.block, _VALUES))
        if damage.key_of is not None:
            subject = scenario.layout.rows(seed, partition, np.array([damage.key_of])).subject
            values = {scenario.key: pa.array(scenario.layout.keys(subject))}
        for name, value in values.items():
            batch = set_column(batch, name, _with_value(batch.column(name), damage.row - first_row, value))
    return batch


def _with_value(array: pa.Array, index: int, value: pa.Array) -> pa.Array:
    return pa.concat_arrays([array[:index], value.cast(array.type), array[index + 1 :]])
