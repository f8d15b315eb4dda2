"""What every sink checks: the rows it is given, and that what was written is what was counted."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from models.errors import LedgerUnbalanced
from transforms.ledger import Ledger, UnitCounts
from transforms.sinks.base import FileRecord, Part

QUARANTINE_COLUMNS = ("key", "reason", "stage", "unit", "row", "record")


def check_schema(schema: pa.Schema, opened: pa.Schema) -> None:
    """Check that rows have the schema that their part was opened with.

    Raises:
        ValueError: with both.
    """
    if not schema.equals(opened):
        raise ValueError(f"rows must have the schema\n{opened}\ngot\n{schema}")


def check_quarantine(schema: pa.Schema, record_type: pa.DataType) -> None:
    """Check that quarantined rows have the columns that readers expect, with the whole input record.

    Raises:
        ValueError: with both.
    """
    if tuple(schema.names) != QUARANTINE_COLUMNS or schema.field("record").type != record_type:
        raise ValueError(
            f"quarantined rows must have the columns {QUARANTINE_COLUMNS} and records of type {record_type}; "
            f"got\n{schema}"
        )


def check_ledger(parts: Sequence[Part], ledger: Ledger) -> None:
    """Check that the parts are the ledger's units, and that each has the rows that the ledger counts.

    Raises:
        LedgerUnbalanced: naming the unit and the numbers.
    """
    units, counted = sorted(part.unit for part in parts), sorted(ledger.units)
    if units != counted:
        raise LedgerUnbalanced(f"parts must be one for each unit of the ledger, {counted}; got {units}")
    for part in parts:
        counts = ledger.units[part.unit]
        counts.check(f"unit {part.unit}", counts.rows_read)
        check_counts(part.unit, part.features, part.quarantine, counts)


def check_counts(unit: str, features: FileRecord, quarantine: FileRecord | None, counts: UnitCounts) -> None:
    """Check that a unit's files have the rows that were counted.

    Raises:
        LedgerUnbalanced: naming the unit and the numbers.
    """
    for what, file, counted in (
        ("published", features, counts.rows_published),
        ("quarantined", quarantine, counts.rows_quarantined),
    ):
        written = file.rows if file else 0
        if written != counted:
            raise LedgerUnbalanced(
                f"unit {unit}: rows {what} must be rows written; got {counted} counted, {written} written"
            )
