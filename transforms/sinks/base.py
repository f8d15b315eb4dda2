"""What every sink promises: a part per unit, written so that a retry replaces it, and one commit per run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from models.spec import Spec
from transforms.ledger import Ledger, UnitCounts


@dataclass(frozen=True)
class RunInfo:
    """What identifies a run and decides its numbers; the same inputs give the same RunInfo."""

    run_id: str
    """`<date>-<12 hex digits of the hash over job, interval, input and settings>`."""
    job: str
    date: str
    """UTC day, YYYY-MM-DD; names the partition."""
    interval_start: str
    interval_end: str
    """ISO 8601, half-open, UTC."""
    input_fingerprint: str
    settings_fingerprint: str
    """Hash over cleaning, statistics, encoders, fusion, heads: the `fingerprint` column."""


@dataclass(frozen=True)
class FileRecord:
    """A file as it was written: name below its folder, rows, bytes and sha256."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Part:
    """What a finished unit left in staging: its part file, its quarantine file if any, and its counts."""

    unit: str
    features: FileRecord
    quarantine: FileRecord | None
    counts: UnitCounts

    def to_json(self) -> dict[str, Any]:
        """A JSON-able mapping that `from_json` turns back."""
        return {**asdict(self), "counts": self.counts.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Part:
        """A Part from what `to_json` gave."""
        quarantine = FileRecord(**value["quarantine"]) if value["quarantine"] else None
        counts = UnitCounts.from_json(value["counts"])
        return cls(value["unit"], FileRecord(**value["features"]), quarantine, counts)


@dataclass(frozen=True)
class Manifest:
    """The record of a published run, as `runs/<run id>/manifest.json` holds it."""

    run: RunInfo
    features: tuple[FileRecord, ...]
    quarantine: tuple[FileRecord, ...]
    ledger: Ledger
    details: Mapping[str, Any]
    """What the run adds: fencing number, options, job settings, precision, timings, versions, schema."""


Fence: TypeAlias = Callable[[], AbstractContextManager[object]]
"""Entered around the atomic step of a publication; raises LeaseHeld when the run has lost its lease."""


class PartWriter(Protocol):
    """Takes one unit's rows in order and closes into a Part."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Append published rows, of the schema that the part was opened with."""
        ...

    def quarantine(self, rows: pa.RecordBatch) -> None:
        """Append quarantined rows: columns key, reason, stage, unit, row, record (the input record as a struct)."""
        ...

    def close(self, counts: UnitCounts) -> Part:
        """Make the part durable and checked; from here on the unit is done."""
        ...

    def abandon(self) -> None:
        """Drop what was written so far."""
        ...


class Sink(Protocol):
    """Where a run's parts go. Safe to call from many processes at once, each with its own unit."""

    def finished(self) -> dict[str, Part]:
        """Unit id -> Part of every unit of this run that is already done, checked against storage."""
        ...

    def open(self, unit: str, schema: pa.Schema, record_type: pa.DataType) -> PartWriter:
        """Start (or start again) the part of a unit; `record_type` is the struct of a quarantined input record."""
        ...

    def publish(
        self,
        parts: Sequence[Part],
        ledger: Ledger,
        details: Mapping[str, Any],
        *,
        schema: pa.Schema | None = None,
        fence: Fence = nullcontext,
    ) -> Manifest:
        """Check the parts against the ledger from storage, write the manifest, then commit in one atomic step.

        Publishing the same parts again changes nothing.

        Args:
            parts: what `close` or `finished` gave for every unit of the run.
            ledger: the counts of the same units.
            details: for the manifest.
            schema: of the part without rows that is published when there are no units.
            fence: entered around the atomic step.

        Raises:
            LedgerUnbalanced: the parts are not what the ledger counts.
            CorruptArtifact: a part is not in storage as it was recorded.
            LeaseHeld: another run has taken the lease over.
        """
        ...


class SinkSpec(Spec[Sink]):
    """Describes a sink; `run` is filled in for each run."""

    derived = frozenset({"run"})

    run: RunInfo | None = None

    @abstractmethod
    def for_run(self, run: RunInfo) -> SinkSpec:
        """The same sink for one run; picklable, sent to the workers."""
