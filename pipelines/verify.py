"""Re-reads what was published for a date and says, sentence by sentence, what is not as it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import CorruptArtifact, LedgerUnbalanced
from pipelines.published_rows import RowChecks
from transforms.sinks.base import FileRecord, Manifest
from transforms.sinks.checks import QUARANTINE_COLUMNS, check_counts
from transforms.sinks.layout import Layout, part_name
from transforms.sinks.manifest import read_manifest
from transforms.sinks.parquet_file import fault
from transforms.sinks.standing import run_in_footer

_BATCH_ROWS = 1024  # rows in memory at a time: 6 MB for six 256-wide vectors


@dataclass
class Verification:
    """What was found."""

    run_id: str | None = None
    """The run that stands there, or None where nothing readable stands."""
    files: int = 0
    """Published and quarantine files that were read."""
    rows: int = 0
    """Published rows that were read."""
    problems: list[str] = field(default_factory=list)
    """One sentence each, naming the file; empty if all is well."""


def verify(output: Path, date: str) -> Verification:
    """Re-read everything that stands for a date: files, checksums, row counts, schema, values, ledger.

    Args:
        output: the job's output folder.
        date: UTC day, YYYY-MM-DD.

    Raises:
        OSError: the storage cannot be read.
    """
    layout, found = Layout(output), Verification()
    manifest = _manifest(layout, date, found)
    if manifest is None:
        return found
    found.problems += _check_ledger(manifest)
    _verify_features(layout.features(date), manifest, found)
    _verify_quarantine(layout.quarantine(date), manifest, found)
    return found


def _manifest(layout: Layout, date: str, found: Verification) -> Manifest | None:
    """The manifest of the one run whose parts stand there."""
    folder = layout.features(date)
    if not folder.is_dir():
        found.problems.append(f"{folder} must hold the published parts; got no such folder")
        return None
    named = {path: run_in_footer(path) for path in sorted(folder.glob("*.parquet"))}
    found.run_id = _standing(layout, date, named)
    if found.run_id is None:
        found.problems.append(f"{folder} must hold the parts of a run; got none that can be read")
        return None
    found.problems += [
        f"{path} must be a part of the run {found.run_id}; got {run or 'no readable footer'}"
        for path, run in named.items()
        if run != found.run_id
    ]
    return _read_manifest(layout.manifest(found.run_id), folder, found)


def _standing(layout: Layout, date: str, named: Mapping[Path, str | None]) -> str | None:
    """The run whose parts these are: by most footers, if that is on record, for a damaged one may name anything.

    Where no footer names a run on record, it is the run by which most files are called.
    """
    recorded = [path.parent.name for path in layout.runs.glob("*/manifest.json")]
    called = [run for run in recorded for path in named if path.stem.endswith(f"-{run.removeprefix(f'{date}-')}")]
    footers = [run for run in named.values() if run]
    for runs in ([run for run in footers if run in recorded], called, footers):
        if runs:
            return Counter(runs).most_common(1)[0][0]
    return None


def _read_manifest(path: Path, folder: Path, found: Verification) -> Manifest | None:
    try:
        return read_manifest(path)
    except FileNotFoundError:
        found.problems.append(f"{path} must exist, because its run's parts stand in {folder}; got no such file")
    except CorruptArtifact as error:
        found.problems.append(str(error))
    return None


def _check_ledger(manifest: Manifest) -> list[str]:
    """Whether the ledger balances, and agrees with the manifest's files unit by unit."""
    features = {file.name: file for file in manifest.features}
    quarantine = {file.name: file for file in manifest.quarantine}
    names = {part_name(unit, manifest.run): unit for unit in manifest.ledger.units}
    if set(features) != set(names) or not set(quarantine) <= set(names):
        return [f"the manifest's files must be those of the ledger's units, {sorted(names)}; got {sorted(features)}"]
    problems = []
    for name, unit in names.items():
        counts = manifest.ledger.units[unit]
        try:
            counts.check(f"unit {unit}", counts.rows_read)
            check_counts(unit, features[name], quarantine.get(name), counts)
        except LedgerUnbalanced as error:
            problems.append(str(error))
    return problems


def _verify_features(folder: Path, manifest: Manifest, found: Verification) -> None:
    actions = {name: policy["actions"] for name, policy in manifest.details.get("policies", {}).items()}
    rows = RowChecks(manifest.details.get("key"), manifest.details.get("keep", ()), actions)
    for path, file in _sound_files(folder, manifest.features, found):
        found.problems += rows.check_schema(path, file.schema_arrow)
        for batch in _batches(path, file, found):
            found.rows += batch.num_rows
            found.problems += rows.check(path, batch)
    found.problems += rows.repeated_keys(folder)


def _verify_quarantine(folder: Path, manifest: Manifest, found: Verification) -> None:
    for path, file in _sound_files(folder, manifest.quarantine, found):
        if tuple(file.schema_arrow.names) != QUARANTINE_COLUMNS:
            found.problems.append(
                f"{path} must have the columns {QUARANTINE_COLUMNS}; got {tuple(file.schema_arrow.names)}"
            )
        for _ in _batches(path, file, found):
            pass  # reading all of it is the check


def _sound_files(
    folder: Path, records: tuple[FileRecord, ...], found: Verification
) -> Iterator[tuple[Path, pq.ParquetFile]]:
    """Every recorded file that is in the folder as recorded; says so of the others, and of files too many."""
    recorded = {record.name for record in records}
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in sorted(present - recorded):
        found.problems.append(f"{folder / name} must not be there: the manifest does not list it")
    for record in records:
        path = folder / record.name
        found.files += 1
        if sentence := fault(path, record):
            found.problems.append(sentence)
            continue
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield path, file


def _batches(path: Path, file: pq.ParquetFile, found: Verification) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(batch_size=_BATCH_ROWS)
    except (pa.ArrowException, OSError) as error:
        found.problems.append(f"{path} must be readable; got {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
