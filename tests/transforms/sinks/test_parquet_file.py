"""Tests of the files: the same rows give the same bytes, and damage does not pass."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import CorruptArtifact
from models.schema import DIM_METADATA
from tests.transforms.sinks.samples import DIM, SCHEMA, rows, run_info
from transforms.sinks.base import FileRecord
from transforms.sinks.parquet_file import Compression, ParquetFileWriter, check_file, footer

ZSTD = Compression("zstd", 1)


def _write(path: Path, batches: list[pa.RecordBatch], row_group_rows: int = 16) -> FileRecord:
    writer = ParquetFileWriter(path, SCHEMA, footer(run_info(), "u"), ZSTD, row_group_rows)
    for batch in batches:
        writer.write(batch)
    return writer.close("part.parquet")


@settings(max_examples=25, deadline=None)  # each example writes and syncs two files
@given(cuts=st.lists(st.integers(0, 100), max_size=8))
def test_bytes_do_not_depend_on_batches(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    """However 100 rows are cut into batches, the file is the same."""
    folder = tmp_path_factory.mktemp("file")
    batch, ends = rows(100), [0, *sorted(cuts), 100]
    whole = _write(folder / "whole", [batch])
    pieces = _write(folder / "pieces", [batch.slice(a, b - a) for a, b in pairwise(ends)])
    assert pieces == whole


def test_row_groups_have_the_rows_that_were_asked_for(tmp_path: Path) -> None:
    """40 rows in groups of 16 are 16, 16 and 8."""
    _write(tmp_path / "file", [rows(7, first=i * 7) for i in range(5)] + [rows(5, first=35)])
    metadata = pq.read_metadata(tmp_path / "file")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [16, 16, 8]


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    """What is read is what was written."""
    _write(tmp_path / "file", [rows(20), rows(13, first=20)])
    assert pq.read_table(tmp_path / "file").equals(pa.Table.from_batches([rows(33)]))


def test_the_footer_tells_origin_and_dimensions(tmp_path: Path) -> None:
    """Run, unit and fingerprint stand in the footer, the embedding's length in its field."""
    _write(tmp_path / "file", [rows(1)])
    schema = pq.read_schema(tmp_path / "file")
    assert schema.metadata[b"amalgam.run_id"] == b"2026-11-23-aaaaaaaaaaaa"
    assert schema.metadata[b"amalgam.unit"] == b"u"
    assert schema.metadata[b"amalgam.fingerprint"] == b"models aaaaaaaaaaaa"
    assert schema.field("emb_photo").metadata[DIM_METADATA] == str(DIM).encode()


def test_pages_carry_checksums(tmp_path: Path) -> None:
    """A damaged page is refused by a reader that verifies, without any manifest."""
    record = _write(tmp_path / "file", [rows(16)])
    content = bytearray((tmp_path / "file").read_bytes())
    start = pq.read_metadata(tmp_path / "file").row_group(0).column(0)
    content[(start.dictionary_page_offset or start.data_page_offset) + start.total_compressed_size - 1] ^= 1
    (tmp_path / "file").write_bytes(content)
    assert len(content) == record.bytes
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(tmp_path / "file", page_checksum_verification=True)


def test_floats_are_split_and_strings_have_dictionaries(tmp_path: Path) -> None:
    """The encodings that were measured to be small are the ones used."""
    _write(tmp_path / "file", [rows(16)])
    group = pq.read_metadata(tmp_path / "file").row_group(0)
    encodings = {group.column(i).path_in_schema: group.column(i).encodings for i in range(group.num_columns)}
    assert "BYTE_STREAM_SPLIT" in encodings["emb_photo.list.element"]
    assert "RLE_DICTIONARY" in encodings["fingerprint"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bytes": 1}, "must have 1 bytes"),
        ({"sha256": "0" * 64}, "must have the sha256"),
        ({"rows": 7}, "must have 7 rows"),
    ],
)
def test_a_file_that_is_not_its_record_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """Size, checksum and rows are each compared, and the file is named."""
    record = _write(tmp_path / "file", [rows(3)])
    wrong = FileRecord(**{**vars(record), **change})
    with pytest.raises(CorruptArtifact, match=f"file {message}"):
        check_file(tmp_path / "file", wrong)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """No file is no part."""
    with pytest.raises(CorruptArtifact, match="no such file"):
        check_file(tmp_path / "file", FileRecord("file", 1, 1, ""))


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """The operating system refuses to let files grow beyond 20 kB, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files_only")
def test_abandon_works_on_a_full_disk(tmp_path: Path) -> None:
    """After a failed write, `abandon` deletes the file and raises nothing more."""
    writer = ParquetFileWriter(tmp_path / "file", SCHEMA, {}, Compression("none", None), 16)
    with pytest.raises(OSError, match="File too large"):
        writer.write(rows(16_000))
    writer.abandon()
    assert list(tmp_path.iterdir()) == []
