"""Reads a published date the way Amalgam itself does: one version, whole and checked, or an error that names the file.

A version may be replaced while it is read. So the files that the standing manifest lists are all opened before the
first row is given: what is open stays readable when its name goes. If a name is gone before it was opened, another
version stands by then, and reading starts again on that one.
"""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.errors import CorruptArtifact, NoInput, SchemaRefused, TemporaryError
from transforms.sinks.base import FileRecord, Manifest
from transforms.sinks.layout import Layout
from transforms.sinks.manifest import read_manifest
from transforms.sinks.standing import run_in_footer

BATCH_ROWS = 1024
"""Rows in memory at a time: 6 MB for six 256-wide vectors."""
_TRIES = 100  # versions that vanish under a reader's hands; a night replaces one in hours
_PAUSE_SECONDS = 0.001  # a folder is exchanged in less
_OTHER_FILES = 256  # that the rest of the process may hold open
_CHUNK_BYTES = 1 << 20  # the digest's pace no longer grows beyond that


def read_published(output: Path, date: str, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of one published version of a date, in the order of its parts.

    Args:
        output: the job's output folder.
        date: UTC day, YYYY-MM-DD.
        columns: in this order; None for all.

    Raises:
        NoInput: nothing is published for the date.
        CorruptArtifact: naming the file that is missing, or is not what the manifest says.
        SchemaRefused: a column is not there.
        TemporaryError: another version came at every try.
    """
    with _version(output, date) as files:
        return pa.concat_tables([file.read(columns) for file in files])


def iterate_published(
    output: Path, date: str, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """The same rows, at most `batch_rows` at a time; which version, is decided at the first one.

    Raises:
        See `read_published`; a file is checked whole before its first row is given.
    """
    with _version(output, date) as files:
        for file in files:
            yield from file.batches(columns, batch_rows)


@dataclass(frozen=True)
class _OpenFile:
    """A part that stays readable, whatever becomes of its name."""

    path: Path
    record: FileRecord
    handle: pa.NativeFile

    def read(self, columns: Sequence[str] | None) -> pa.Table:
        with self._checked(columns) as (parquet, names):
            return parquet.read(names)

    def batches(self, columns: Sequence[str] | None, batch_rows: int) -> Iterator[pa.RecordBatch]:
        with self._checked(columns) as (parquet, names):
            yield from parquet.iter_batches(batch_rows, columns=names)

    @contextmanager
    def _checked(self, columns: Sequence[str] | None) -> Iterator[tuple[pq.ParquetFile, list[str]]]:
        """The file, when its bytes are those of the record; and the columns to read."""
        try:
            if (sha256 := self._sha256()) != self.record.sha256:
                raise CorruptArtifact(f"{self.path} must have the sha256 {self.record.sha256}; got {sha256}")
            parquet = pq.ParquetFile(self.handle, page_checksum_verification=True)
            yield parquet, _columns(self.path, parquet.schema_arrow, columns)
        except (pa.ArrowException, OSError) as error:  # storage gave other bytes the second time
            raise CorruptArtifact(f"{self.path} must be readable; got {error}") from error

    def _sha256(self) -> str:
        digest = hashlib.sha256()
        while chunk := self.handle.read(_CHUNK_BYTES):
            digest.update(chunk)
        self.handle.seek(0)
        return digest.hexdigest()


def _columns(path: Path, schema: pa.Schema, columns: Sequence[str] | None) -> list[str]:
    wanted = schema.names if columns is None else list(columns)
    if missing := [name for name in wanted if name not in schema.names]:
        raise SchemaRefused(f"{path} must have the columns asked for; got none named {missing}; has {schema.names}")
    return wanted


@contextmanager
def _version(output: Path, date: str) -> Iterator[list[_OpenFile]]:
    """The files of one version, all open."""
    layout, gone = Layout(output), set[str]()
    for _ in range(_TRIES):
        with ExitStack() as stack:
            try:
                files = _open(layout.features(date), _standing(layout, date), stack)
            except FileNotFoundError as error:
                gone.add(str(error))
            else:
                yield files
                return
        time.sleep(_PAUSE_SECONDS)
    if len(gone) > 1:
        raise TemporaryError(f"date {date} in {output} must stand still to be read; got another version at every try")
    raise CorruptArtifact(gone.pop())


def _open(folder: Path, manifest: Manifest, stack: ExitStack) -> list[_OpenFile]:
    _allow_open_files(len(manifest.features))
    paths = [folder / record.name for record in manifest.features]
    return [
        _OpenFile(path, record, stack.enter_context(_opened(path)))
        for path, record in zip(paths, manifest.features, strict=True)
    ]


def _opened(path: Path) -> pa.NativeFile:
    try:
        return pa.OSFile(str(path))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} must exist, because the manifest lists it; got no such file") from None


def _standing(layout: Layout, date: str) -> Manifest:
    """The manifest of the version that stands.

    Raises:
        FileNotFoundError: the folder changed while it was looked at, or its files name no recorded run.
    """
    folder = layout.features(date)
    parts = sorted(folder.glob("*.parquet"))
    if not parts:
        if folder.is_dir():
            raise FileNotFoundError(f"{folder} must hold published parts; got none")
        raise NoInput(f"date {date} must be published before it can be read; got no {folder}")
    for path in parts:  # a damaged footer may name any run, or none
        run = run_in_footer(path)
        if run is not None and layout.manifest(run).exists():
            return read_manifest(layout.manifest(run))
    names = ", ".join(str(path) for path in parts)
    raise FileNotFoundError(f"{folder} must hold the parts of a run recorded in {layout.runs}; got only {names}")


def _allow_open_files(files: int) -> None:
    """Raise this process's own limit of open files to what one version needs, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = files + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
