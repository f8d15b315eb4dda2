"""Writes one file of a data set, row group by row group, with what is true of it beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.scenarios import base, damage
from pipelines.scenarios.layout import FilePlan


def damage_schema(scenario: base.Scenario) -> pa.Schema:
    """The columns of truth/damage.parquet."""
    return pa.schema(
        [
            pa.field("partition", pa.string(), nullable=False),
            pa.field("file", pa.string(), nullable=False),
            pa.field("row", pa.int64(), nullable=False),  # in the file, from 0
            pa.field(scenario.key, pa.string()),  # as it stands in the file
            pa.field("column", pa.string()),
            pa.field("sort", pa.string(), nullable=False),
            pa.field("code", pa.string(), nullable=False),
            pa.field("effect", pa.string(), nullable=False),
        ]
    )


@dataclass(frozen=True)
class FileTask:
    """What a process needs to write one file."""

    folder: Path
    scenario: str
    seed: int
    plan: FilePlan
    damaged: bool


@dataclass(frozen=True)
class FileDone:
    """What was written."""

    rows: int
    bytes: int
    damages: pa.Table


def write_file(task: FileTask) -> FileDone:
    """Write `data/<partition>/<file>` and `truth/rows/<partition>/<file>`; never more than a row group in memory."""
    place = Path(task.plan.partition.name) / task.plan.name
    data, truth = task.folder / "data" / place, task.folder / "truth" / "rows" / place
    scenario = base.find(task.scenario)
    for path in (data, truth):
        path.parent.mkdir(parents=True, exist_ok=True)
    listed: list[pa.Table] = []
    writers: list[pq.ParquetWriter] = []
    try:
        for batch, known, damages in groups(task):
            if not writers:
                writers = [_writer(scenario, data, batch.schema), _writer(scenario, truth, known.schema)]
            for writer, rows in zip(writers, (batch, known), strict=True):
                writer.write_batch(rows, row_group_size=rows.num_rows)
            listed.append(damages)
    finally:
        for writer in writers:
            writer.close()
    rows_written = task.plan.stop - task.plan.start
    return FileDone(rows_written, data.stat().st_size, pa.concat_tables(listed))


def groups(task: FileTask) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch, pa.Table]]:
    """The file's row groups one by one: data, truth and list of damages; drawn only when asked for."""
    scenario = base.find(task.scenario)
    for numbers in task.plan.groups():
        first, stop = int(numbers[0]), int(numbers[-1]) + 1
        batch, known = scenario.rows(task.seed, task.plan.partition, numbers)
        damages = list(damage.plan(scenario, task.seed, task.plan.partition, first, stop)) if task.damaged else []
        batch = damage.apply(scenario, batch, damages, first, task.seed, task.plan.partition)
        yield batch, known, _listed(scenario, task.plan, batch.column(scenario.key), damages, first)


def _listed(
    scenario: base.Scenario, plan: FilePlan, keys: pa.Array, damages: list[damage.Damage], first: int
) -> pa.Table:
    columns = [
        pa.array([plan.partition.name] * len(damages), pa.string()),
        pa.array([plan.name] * len(damages), pa.string()),
        pa.array([d.row - plan.start for d in damages], pa.int64()),
        keys.take(pa.array([d.row - first for d in damages], pa.int64())),
        pa.array([d.sort.column for d in damages], pa.string()),
        pa.array([d.sort.name for d in damages], pa.string()),
        pa.array([d.sort.code for d in damages], pa.string()),
        pa.array([d.sort.effect for d in damages], pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=damage_schema(scenario))


def _writer(scenario: base.Scenario, path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    words = [f.name for f in schema if pa.types.is_string(f.type) and f.name not in (*scenario.texts, scenario.key)]
    return pq.ParquetWriter(path, schema, compression="ZSTD", use_dictionary=words, write_page_checksum=True)
