"""Parquet files in a folder per date, published in one atomic step; POSIX file systems, NFS too."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field, field_validator

from models.errors import AmalgamError, ConfigError, CorruptArtifact
from models.spec import JobPath
from transforms.ledger import Ledger, UnitCounts
from transforms.sinks import commit
from transforms.sinks.base import Fence, FileRecord, Manifest, Part, RunInfo, SinkSpec
from transforms.sinks.durable import read_json, write_json, writing
from transforms.sinks.layout import EMPTY_UNIT, Layout
from transforms.sinks.parquet_file import Compression
from transforms.sinks.part_writer import ParquetPartWriter
from transforms.sinks.preflight import local_path
from transforms.sinks.standing import is_published, places, with_faults
from transforms.sinks.sweep import sweep

_LOG = logging.getLogger(__name__)


class ParquetSinkSpec(SinkSpec):
    """Parquet below one folder: `features/`, `quarantine/`, `runs/`, and `staging/` for work in progress."""

    kind = "parquet"

    path: JobPath
    """The output folder, on a POSIX file system."""
    compression: Literal["zstd", "snappy", "lz4", "gzip", "none"] = "zstd"
    """Codec of all columns."""
    compression_level: int | None = 1
    """The codec's level, or null for its default; zstd 3 made embeddings no smaller than zstd 1."""
    row_group_rows: int = Field(default=4096, ge=1)
    """Rows of a row group, held in memory until written: 4096 rows of six 256-wide vectors are 25 MB."""
    keep: tuple[str, ...] = ()
    """Input columns that are passed through to the output."""

    @field_validator("path")
    @classmethod
    def _local(cls, path: str) -> str:
        try:
            local_path(path)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return path

    def for_run(self, run: RunInfo) -> ParquetSinkSpec:
        """The same sink for one run; picklable, sent to the workers."""
        return self.model_copy(update={"run": run})

    def build(self) -> ParquetSink:
        """The sink of the run.

        Raises:
            ValueError: `for_run` was not called.
        """
        if self.run is None:
            raise ValueError("a sink must be told its run before it is built; call for_run(run) first")
        # Levels are settings of these codecs alone.
        level = self.compression_level if self.compression in ("zstd", "gzip") else None
        compression = Compression(self.compression, level)
        return ParquetSink(Path(self.path), self.run, compression, self.row_group_rows)


class ParquetSink:
    """Sink that stages a file per unit and publishes the folder that holds them."""

    def __init__(self, output: Path, run: RunInfo, compression: Compression, row_group_rows: int) -> None:
        self._layout = Layout(output)
        self._staging = self._layout.staging(run.run_id)
        self._run = run
        self._compression = compression
        self._row_group_rows = row_group_rows

    def finished(self) -> dict[str, Part]:
        """Unit id -> Part of every unit of this run that is already done, checked against storage.

        Also after a crash inside `publish`, when some files are in place already.
        """
        parts = [part for path in sorted(self._staging.units.glob("*.json")) if (part := _read_part(path))]
        lost = self._lost([part.features for part in parts], self._staging.features)
        lost |= self._lost([part.quarantine for part in parts if part.quarantine], self._staging.quarantine)
        return {part.unit: part for part in parts if part.features.name not in lost}

    def open(self, unit: str, schema: pa.Schema, record_type: pa.DataType) -> ParquetPartWriter:
        """Start (or start again) the part of a unit; `record_type` is the struct of a quarantined input record."""
        with writing(self._staging.root):
            if not self._staging.run.exists():
                write_json(self._staging.run, asdict(self._run))
        return ParquetPartWriter(
            self._staging, self._run, unit, schema, record_type, self._compression, self._row_group_rows
        )

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

        See `transforms.sinks.commit` for the steps, and `Sink.publish` for arguments and errors.
        """
        if not parts:
            if schema is None:
                raise ValueError("a publication without parts must be given the schema; got None")
            parts = [self.open(EMPTY_UNIT, schema, pa.struct([])).close(UnitCounts())]
            ledger = Ledger({EMPTY_UNIT: UnitCounts()})
        manifest = commit.publish(self._layout, self._run, parts, ledger, details, fence)
        self.sweep()
        return manifest

    def sweep(self) -> None:
        """Steps 6 and 7: remove the run's staging, which after a publication holds what was replaced.

        What cannot be removed is logged: no reader sees it, and `amalgam gc` finds it.
        """
        try:
            commit.retire(self._layout, self._run)
        except AmalgamError as error:
            _LOG.warning("replaced versions were left: %s", error)
        sweep(self._layout.root, self._run.run_id)

    def is_published(self) -> bool:
        """Whether this run's manifest exists and exactly its files stand in place."""
        return is_published(self._layout.root, self._run)

    def _lost(self, files: Sequence[FileRecord], staged: Path) -> set[str]:
        """Names of the files that are as recorded neither in staging nor in place; both kinds are named by unit."""
        missing = dict.fromkeys(files, "")
        for folder in (staged, *places(self._layout, self._run.date, staged.name)):
            missing = with_faults(folder, list(missing))
        for fault in missing.values():
            _LOG.warning("a unit must be done again: %s", fault)
        return {file.name for file in missing}


def _read_part(path: Path) -> Part | None:
    try:
        return Part.from_json(read_json(path))
    except (CorruptArtifact, KeyError, TypeError, AttributeError) as error:
        _LOG.warning("a unit must be done again: its record %s cannot be read: %s", path, error)
        return None
