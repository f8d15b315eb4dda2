"""A sink that keeps everything in this process: the shipped fake, with the same promises as the Parquet sink."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from models.errors import CorruptArtifact
from transforms.ledger import Ledger, UnitCounts
from transforms.sinks.base import Fence, FileRecord, Manifest, Part, RunInfo, SinkSpec
from transforms.sinks.checks import check_counts, check_ledger, check_quarantine, check_schema
from transforms.sinks.layout import EMPTY_UNIT, part_name


@dataclass
class MemoryOutput:
    """What a folder is to the Parquet sink. All fields: name -> table, by run or date."""

    features: dict[str, dict[str, pa.Table]] = field(default_factory=dict)
    """Date -> what readers read."""
    quarantine: dict[str, dict[str, pa.Table]] = field(default_factory=dict)
    """Date -> quarantined records."""
    manifests: dict[str, Manifest] = field(default_factory=dict)
    """Run id -> manifest."""
    staging: dict[str, dict[str, _Staged]] = field(default_factory=dict)
    """Run id -> unit -> what it left."""
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class _Staged:
    part: Part
    features: pa.Table
    quarantine: pa.Table | None


_OUTPUTS: dict[str, MemoryOutput] = {}


def output(name: str) -> MemoryOutput:
    """The output of this name, the same for every sink of this process; made when it is first asked for."""
    return _OUTPUTS.setdefault(name, MemoryOutput())


class MemorySinkSpec(SinkSpec):
    """Tables in this process's memory, for tests; workers in other processes do not see them."""

    kind = "memory"

    name: str = "default"
    """Sinks of one name share their output."""
    keep: tuple[str, ...] = ()
    """Input columns that are passed through to the output."""

    def for_run(self, run: RunInfo) -> MemorySinkSpec:
        """The same sink for one run."""
        return self.model_copy(update={"run": run})

    def build(self) -> MemorySink:
        """The sink of the run.

        Raises:
            ValueError: `for_run` was not called.
        """
        if self.run is None:
            raise ValueError("a sink must be told its run before it is built; call for_run(run) first")
        return MemorySink(output(self.name), self.run)


class MemorySink:
    """Sink that stages tables in a dict and publishes by replacing another."""

    def __init__(self, target: MemoryOutput, run: RunInfo) -> None:
        self._output = target
        self._run = run

    def finished(self) -> dict[str, Part]:
        """Unit id -> Part of every unit of this run that is already done."""
        staged = self._output.staging.get(self._run.run_id, {})
        return {unit: staged[unit].part for unit in sorted(staged)}

    def open(self, unit: str, schema: pa.Schema, record_type: pa.DataType) -> MemoryPartWriter:
        """Start (or start again) the part of a unit; `record_type` is the struct of a quarantined record."""
        return MemoryPartWriter(self._output, self._run, unit, schema, record_type)

    def publish(
        self,
        parts: Sequence[Part],
        ledger: Ledger,
        details: Mapping[str, Any],
        *,
        schema: pa.Schema | None = None,
        fence: Fence = nullcontext,
    ) -> Manifest:
        """Check the parts against the ledger, then put them in place; see `Sink.publish`."""
        if not parts:
            if schema is None:
                raise ValueError("a publication without parts must be given the schema; got None")
            parts = [self.open(EMPTY_UNIT, schema, pa.struct([])).close(UnitCounts())]
            ledger = Ledger({EMPTY_UNIT: UnitCounts()})
        check_ledger(parts, ledger)
        if self._is_published(parts):
            return self._output.manifests[self._run.run_id]
        features = tuple(part.features for part in parts)
        quarantine = tuple(part.quarantine for part in parts if part.quarantine)
        manifest = Manifest(self._run, features, quarantine, ledger, details)
        with fence(), self._output.lock:
            self._put_in_place(parts, manifest)
        return manifest

    def is_published(self) -> bool:
        """Whether exactly this run's tables stand in place."""
        manifest = self._output.manifests.get(self._run.run_id)
        standing = self._output.features.get(self._run.date, {})
        return manifest is not None and set(standing) == {file.name for file in manifest.features}

    def _is_published(self, parts: Sequence[Part]) -> bool:
        manifest = self._output.manifests.get(self._run.run_id)
        return self.is_published() and manifest is not None and manifest.features == tuple(p.features for p in parts)

    def _put_in_place(self, parts: Sequence[Part], manifest: Manifest) -> None:
        staged = self._output.staging.get(self._run.run_id, {})
        for part in parts:
            if part.unit not in staged or staged[part.unit].part != part:
                raise CorruptArtifact(f"unit {part.unit} must be in memory as it was recorded; got another or none")
        left = [staged[part.unit] for part in parts]
        self._output.manifests[self._run.run_id] = manifest
        self._output.quarantine[self._run.date] = {
            s.part.quarantine.name: s.quarantine for s in left if s.part.quarantine and s.quarantine is not None
        }
        self._output.features[self._run.date] = {s.part.features.name: s.features for s in left}
        del self._output.staging[self._run.run_id]


class MemoryPartWriter:
    """PartWriter of the memory sink."""

    def __init__(
        self, target: MemoryOutput, run: RunInfo, unit: str, schema: pa.Schema, record_type: pa.DataType
    ) -> None:
        self._output = target
        self._run = run
        self._unit = unit
        self._schema = schema
        self._record_type = record_type
        self._features: list[pa.RecordBatch] = []
        self._quarantine: list[pa.RecordBatch] = []

    def write(self, rows: pa.RecordBatch) -> None:
        """Append published rows, of the schema that the part was opened with."""
        check_schema(rows.schema, self._schema)
        self._features.append(rows)

    def quarantine(self, rows: pa.RecordBatch) -> None:
        """Append quarantined rows."""
        check_quarantine(rows.schema, self._record_type)
        if rows.num_rows:
            self._quarantine.append(rows)

    def close(self, counts: UnitCounts) -> Part:
        """Keep the unit; from here on it is done."""
        name = part_name(self._unit, self._run)
        features = pa.Table.from_batches(self._features, self._schema).combine_chunks()
        quarantine = pa.Table.from_batches(self._quarantine).combine_chunks() if self._quarantine else None
        record = None if quarantine is None else _record(name, quarantine)
        part = Part(self._unit, _record(name, features), record, counts)
        check_counts(self._unit, part.features, record, counts)
        with self._output.lock:
            staged = self._output.staging.setdefault(self._run.run_id, {})
            staged[self._unit] = _Staged(part, features, quarantine)
        return part

    def abandon(self) -> None:
        """Drop what was written so far."""
        self._features, self._quarantine = [], []


def _record(name: str, table: pa.Table) -> FileRecord:
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    content = stream.getvalue()
    return FileRecord(name, table.num_rows, content.size, hashlib.sha256(content).hexdigest())
