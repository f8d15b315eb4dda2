"""A unit's rows and quarantined records on their way into staging."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from transforms.ledger import UnitCounts
from transforms.sinks import storage
from transforms.sinks.base import Part, RunInfo
from transforms.sinks.checks import check_counts, check_quarantine
from transforms.sinks.durable import unique_name, write_json, writing
from transforms.sinks.layout import Staging, part_name
from transforms.sinks.parquet_file import Compression, ParquetFileWriter, footer

QUARANTINE_GROUP_ROWS = 32  # records hold whole pictures and sounds: at 1 MB each, 32 MB are held in memory


class ParquetPartWriter:
    """PartWriter of the Parquet sink.

    Two attempts at one unit may run at the same time: each writes under names of its own, and the one that closes
    last stays. They hold the same rows and hence the same bytes.
    """

    def __init__(
        self,
        staging: Staging,
        run: RunInfo,
        unit: str,
        schema: pa.Schema,
        record_type: pa.DataType,
        compression: Compression,
        row_group_rows: int,
    ) -> None:
        self._staging = staging
        self._unit = unit
        self._name = part_name(unit, run)
        self._record_type = record_type
        self._metadata = footer(run, unit)
        self._compression = compression
        with writing(staging.root):
            for folder in (staging.writing, staging.features, staging.quarantine, staging.units):
                storage.make_folder(folder)
            self._features = self._create(schema, row_group_rows)
        self._quarantine: ParquetFileWriter | None = None

    def write(self, rows: pa.RecordBatch) -> None:
        """Append published rows, of the schema that the part was opened with."""
        with writing(self._features.path):
            self._features.write(rows)

    def quarantine(self, rows: pa.RecordBatch) -> None:
        """Append quarantined rows: columns key, reason, stage, unit, row, record (the input record as a struct)."""
        if rows.num_rows == 0:
            return
        with writing(self._staging.writing):
            if self._quarantine is None:
                check_quarantine(rows.schema, self._record_type)
                self._quarantine = self._create(rows.schema, QUARANTINE_GROUP_ROWS)
            self._quarantine.write(rows)

    def close(self, counts: UnitCounts) -> Part:
        """Make the part durable and checked; its record is written last, and from then on the unit is done.

        Raises:
            LedgerUnbalanced: `counts` are not the rows that were written.
        """
        with writing(self._staging.root):
            features = self._features.close(self._name)
            quarantine = self._quarantine.close(self._name) if self._quarantine else None
            check_counts(self._unit, features, quarantine, counts)
            self._move(self._features, self._staging.features)
            if self._quarantine:
                self._move(self._quarantine, self._staging.quarantine)
            part = Part(self._unit, features, quarantine, counts)
            write_json(self._staging.unit(self._unit), part.to_json())
        return part

    def abandon(self) -> None:
        """Drop what was written so far."""
        with writing(self._staging.writing):
            for file in filter(None, (self._features, self._quarantine)):
                file.abandon()

    def _create(self, schema: pa.Schema, row_group_rows: int) -> ParquetFileWriter:
        path = self._staging.writing / unique_name(self._name)
        return ParquetFileWriter(path, schema, self._metadata, self._compression, row_group_rows)

    def _move(self, file: ParquetFileWriter, folder: Path) -> None:
        storage.rename(file.path, folder / self._name)
        storage.sync_folder(folder)
