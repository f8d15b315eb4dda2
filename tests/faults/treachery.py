"""Nights with texts that make their cleaner or encoder fail, hang or die (see `plugins/`), and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.e2e.retail import Done, amalgam
from tests.faults.nights import KEY, TinyNight, make_night
from tests.pipelines.tiny_jobs import DATE, SOURCE, records
from transforms.sinks.reader import read_published

PLUGINS = Path(__file__).with_name("plugins")
"""A folder for PYTHONPATH."""
ROWS = 128
"""Of a treacherous night: one batch."""


def treacherous_night(folder: Path, notes: Mapping[int, str], **encoder: Any) -> TinyNight:
    """A night in one file and one batch, in which some rows have other notes; `encoder` are its settings."""
    modalities = treacherous_modalities(folder, **encoder)
    return make_night(folder, treacherous_records(notes), row_group_rows=ROWS, modalities=modalities)


def treacherous_records(notes: Mapping[int, str]) -> pa.Table:
    """ROWS records, some with other notes."""
    table = records(0, ROWS)
    texts = [notes.get(row, text) for row, text in enumerate(table["note"].to_pylist())]
    return table.set_column(table.schema.get_field_index("note"), "note", pa.array(texts, pa.string()))


def treacherous_modalities(folder: Path, **encoder: Any) -> dict[str, Any]:
    """The job file's key `modalities`; misdeeds are logged in the folder."""
    log = str(folder / "misdeeds")
    note = {
        "type": "treacherous_text",
        "column": "note",
        "log": log,
        "encoder": {"kind": "treacherous", "log": log, **encoder},
    }
    return {**SOURCE["modalities"], "note": note}


def misdeeds(night: TinyNight) -> list[tuple[str, int]]:
    """What was done, and in a batch of how many values, in order."""
    log = night.folder / "misdeeds"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [(deed, int(values)) for deed, values in (line.split() for line in lines)]


def run(night: TinyNight, *settings: str) -> Done:
    """`amalgam run`, in a process of its own; needs PLUGINS on PYTHONPATH."""
    return amalgam(*night.arguments(*settings))


def removed(night: TinyNight) -> list[tuple[str, str, str]]:
    """(key, stage, reason) of every quarantined row, in input order."""
    files = sorted((night.out / "quarantine" / f"date={DATE}").glob("*.parquet"))
    rows = [row for path in files for row in pq.ParquetFile(path).read(["key", "stage", "reason"]).to_pylist()]
    return [(row["key"], row["stage"], row["reason"]) for row in rows]


def rows_of(night: TinyNight) -> pa.Table:
    """The published rows, by key."""
    return read_published(night.out, DATE).sort_by(KEY)


def without(folder: Path, rows: Collection[int]) -> pa.Table:
    """What the night publishes that never held these rows."""
    table = treacherous_records({})
    kept = table.take([row for row in range(ROWS) if row not in rows])
    night = make_night(folder, kept, row_group_rows=ROWS, modalities=treacherous_modalities(folder))
    done = run(night)
    assert done.code == 0, done.err
    return rows_of(night)
