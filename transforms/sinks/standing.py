"""What stands in a folder: whose files they are, and whether they are those of a record."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import ConfigError, Problem
from transforms.sinks.base import FileRecord, RunInfo
from transforms.sinks.layout import Layout, is_safe
from transforms.sinks.manifest import read_manifest
from transforms.sinks.parquet_file import RUN_ID, fault

_CHECK_THREADS = 4  # sha256 and reading release the interpreter lock; more threads than that wait for one disk

_LOG = logging.getLogger(__name__)


def published_run(output: Path, date: str) -> str | None:
    """Id of the run whose parts stand at `features/date=…`, or None where no readable part stands."""
    return run_of(Layout(output).features(date))


def is_published(output: Path, run: RunInfo) -> bool:
    """Whether this run's manifest exists and exactly its files stand in place, judged by names and sizes."""
    layout = Layout(output)
    path = layout.manifest(run.run_id)
    if not path.exists() or published_run(output, run.date) != run.run_id:
        return False
    manifest = read_manifest(path)
    return holds_exactly(layout.features(run.date), manifest.features) and holds_exactly(
        layout.quarantine(run.date), manifest.quarantine
    )


def refuse_foreign(output: Path, date: str, job: str) -> None:
    """Refuse to replace what another job published for a date into the same output folder.

    Raises:
        ConfigError: naming both jobs.
    """
    standing = published_run(output, date)
    path = Layout(output).manifest(standing) if standing else None
    if path is None or not path.exists():
        return
    other = read_manifest(path).run.job
    if other != job:
        message = f"must be this job's own; date {date} there was published by job {other!r}"
        raise ConfigError([Problem("output.path", f"{message}, this is {job!r}")])


def places(layout: Layout, date: str, kind: str) -> list[Path]:
    """Where files of a kind (`features`, `quarantine`) may lie that are in staging no more: where they stand, and
    among the versions of the layout with links."""
    return [layout.root / kind / f"date={date}", *sorted(layout.versions(date).glob(f"*/{kind}"))]


def run_of(folder: Path) -> str | None:
    """The run that the first readable Parquet file in the folder names in its footer."""
    runs = (run_in_footer(path) for path in sorted(folder.glob("*.parquet")))
    return next(filter(None, runs), None)


def run_in_footer(path: Path) -> str | None:
    """The run that a file names in its footer, or None: the footer is damaged, or the file gone."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # all three come of a damaged footer
        _LOG.debug("%s cannot be read: %s", path, error)
        return None
    run = metadata.get(RUN_ID, b"").decode(errors="replace")
    return run if is_safe(run) else None


def holds_exactly(folder: Path, files: Sequence[FileRecord]) -> bool:
    """Whether the folder holds these files and nothing else, judged by names and sizes; no folder holds no files."""
    found = {path.name: path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else {}
    return found == {file.name: file.bytes for file in files}


def with_faults(folder: Path, files: Sequence[FileRecord]) -> dict[FileRecord, str]:
    """The files that do not lie in the folder as recorded, each with one sentence that says why."""
    found = zip(files, faults(folder, files), strict=True)
    return {file: fault for file, fault in found if fault}


def faults(folder: Path, files: Sequence[FileRecord]) -> list[str | None]:
    """For each file, one sentence if it does not lie in the folder as recorded (bytes, sha256, rows), or None."""
    with ThreadPoolExecutor(_CHECK_THREADS) as threads:
        return list(threads.map(lambda file: fault(folder / file.name, file), files))
