"""What stands in a folder: whose files they are, and whether they are those of a record."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.sinks.base import FileRecord, RunInfo
from transforms.sinks.layout import Layout
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


def run_of(folder: Path) -> str | None:
    """The run that the first readable Parquet file in the folder names in its footer."""
    runs = (run_in_footer(path) for path in sorted(folder.glob("*.parquet")))
    return next(filter(None, runs), None)


def run_in_footer(path: Path) -> str | None:
    """The run that a file names in its footer, or None (and a line in the log) if it has no readable one."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError) as error:  # a damaged footer is an OSError too
        _LOG.warning("%s cannot be read: %s", path, error)
        return None
    return metadata.get(RUN_ID, b"").decode(errors="replace") or None


def holds_exactly(folder: Path, files: Sequence[FileRecord]) -> bool:
    """Whether the folder holds these files and nothing else, judged by names and sizes; no folder holds no files."""
    found = {path.name: path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else {}
    return found == {file.name: file.bytes for file in files}


def faults(folder: Path, files: Sequence[FileRecord]) -> list[str | None]:
    """For each file, one sentence if it does not lie in the folder as recorded (bytes, sha256, rows), or None."""
    with ThreadPoolExecutor(_CHECK_THREADS) as threads:
        return list(threads.map(lambda file: fault(folder / file.name, file), files))
