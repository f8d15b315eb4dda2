"""The encoders' part of the history: cleaned once and kept in few bytes, in a file per unit that a killed run finds."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa

from models.arrow import Bool, Float32, combined, from_numpy, valid_mask
from models.columns import column_of
from models.encoders._learned import LearnedEncoderSpec
from models.encoders.base import EncoderSpec
from models.learn.encoder_learner import EncoderRows
from models.learn.split import Parts, group_positions
from transforms.modalities.base import Cleaner, ModalitySpec
from transforms.read import each_readable
from transforms.recipe import Limits
from transforms.units import Unit

GROUP = "group"
Compact = Callable[[pa.Array], pa.Array]

_ROWS = 4096  # keys read at a time


@dataclass(frozen=True)
class Part:
    """Which rows of the history encoders learn from."""

    key: str
    """The key's column."""
    group: str
    """The column whose values never stand in two parts."""
    parts: Parts
    most: float = 1.0
    """Rows whose key's hash lies below it are read, so that there are not too many."""

    def rows(self, batch: pa.RecordBatch) -> Bool:
        """`[n]` bool: the batch's rows that encoders learn from."""
        taken: Bool = self.groups(batch) & (self.positions(batch) < self.most)
        return taken

    def groups(self, batch: pa.RecordBatch) -> Bool:
        """`[n]` bool: the rows that belong to encoders, whether they are read or not."""
        return self.parts.encoders(column_of(batch, self.group).cast(pa.string()))

    def positions(self, batch: pa.RecordBatch) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """`[n]` in [0, 1), by the key."""
        return group_positions(column_of(batch, self.key), f"encoder rows {self.parts.seed}")

    def own_positions(self, batch: pa.RecordBatch) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """`[k]` of the rows that belong to encoders."""
        return self.positions(batch)[self.groups(batch)]


def least_positions(part: Part, units: Sequence[Unit], schema: pa.Schema, most: int, limits: Limits) -> float:
    """The bound on positions below which about `most` rows lie; 1 where there are no more rows than that."""
    columns = pa.schema([field for field in schema if field.name in (part.key, part.group)])
    least = np.zeros(0)
    for unit in units:
        size = limits.batch_bytes
        for positions in each_readable(unit, columns, part.own_positions, batch_rows=_ROWS, batch_bytes=size):
            least = np.concatenate([least, positions])
            if len(least) > 2 * most + _ROWS:
                least = np.partition(least, most)[: most + 1]
    return float(np.partition(least, most)[most]) if len(least) > most else 1.0


class PrepareUnits(beam.DoFn):  # type: ignore[misc]  # Beam ships no types
    """Unit -> a file of the rows that encoders learn from, and how many these are.

    Args:
        schema: the input's.
        part: which rows.
        modalities: those that are needed, with their statistics.
        encoders: of these; what one learns from is kept compact, the others' embeddings are made.
        labels: columns that are passed through.
        folder: where the files go.
        limits: how much is held at once.
    """

    def __init__(
        self,
        schema: pa.Schema,
        part: Part,
        modalities: Mapping[str, ModalitySpec],
        encoders: Mapping[str, EncoderSpec],
        labels: Sequence[str],
        folder: Path,
        limits: Limits,
    ) -> None:
        columns = {part.key, part.group, *labels, *(c for m in modalities.values() for c in m.input_columns())}
        self._schema = pa.schema([field for field in schema if field.name in columns])
        self._part, self._modalities, self._encoders = part, dict(modalities), dict(encoders)
        self._labels, self._folder, self._limits = tuple(labels), folder, limits

    def setup(self) -> None:
        """Build what cleans, and what encodes without having to learn."""
        self._cleaners: dict[str, Cleaner] = {name: spec.build() for name, spec in self._modalities.items()}
        self._compact = {name: _compact(encoder) for name, encoder in self._encoders.items()}

    def process(self, unit: Unit) -> Iterator[int]:
        """Write one unit's file, unless an earlier run has."""
        path = self._folder / f"{unit.id}.arrow"
        if not path.exists():
            rows, size = self._limits.rows_at_once(self._modalities), self._limits.batch_bytes
            batches = each_readable(unit, self._schema, self._prepared, batch_rows=rows, batch_bytes=size)
            _write(path, [batch for batch in batches if batch is not None])
        yield read_file(path).num_rows

    def _prepared(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        chosen = batch.filter(pa.array(self._part.rows(batch)))
        if not chosen.num_rows:
            return None
        columns = {GROUP: column_of(chosen, self._part.group).cast(pa.string())}
        columns |= {f"label {name}": column_of(chosen, name) for name in self._labels}
        for name, spec in self._modalities.items():
            cleaned = self._cleaners[name](spec.gather(chosen)).values
            columns[f"value {name}"] = _where_valid(self._compact[name], cleaned)
        return pa.RecordBatch.from_pydict(columns)


def read_rows(folder: Path, units: Sequence[Unit]) -> EncoderRows | None:
    """What `PrepareUnits` has written of all units, in their order, mapped from the files; None if there is no row."""
    tables = [table for unit in units if (table := read_file(folder / f"{unit.id}.arrow")).num_rows]
    if not tables:
        return None
    table = pa.concat_tables(tables)

    def named(start: str) -> dict[str, pa.Array]:
        return {n.removeprefix(start): combined(table.column(n)) for n in table.column_names if n.startswith(start)}

    return EncoderRows(named("value "), named("label "), combined(table.column(GROUP)))


def read_file(path: Path) -> pa.Table:
    """One unit's rows, mapped."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def _compact(encoder: EncoderSpec) -> Compact:
    """What becomes of cleaned values: what training keeps of them, or their embeddings where nothing is learned."""
    if isinstance(encoder, LearnedEncoderSpec):
        return encoder.compact
    built = encoder.build()

    def embedded(values: pa.Array) -> pa.Array:
        embeddings: Float32 = built(values)
        return from_numpy(embeddings)

    return embedded


def _where_valid(function: Compact, values: pa.Array) -> pa.Array:
    """`function` of the values that are there, null elsewhere."""
    valid = valid_mask(values)
    found = function(values.drop_null())
    return found if valid.all() else found.take(pa.array(np.cumsum(valid) - 1, mask=~valid))


def _write(path: Path, batches: Sequence[pa.RecordBatch]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    schema = batches[0].schema if batches else pa.schema([])
    with pa.OSFile(str(fresh), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    fresh.replace(path)
