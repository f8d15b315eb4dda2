"""Tests of telling from a page's header whether it carries a checksum."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.page_header import has_checksum

TABLE = pa.table({"id": [f"key {i}" for i in range(1000)]})


def first_page(**options: Any) -> bytes:
    """The first bytes of the first page that pyarrow writes."""
    file = io.BytesIO()
    pq.write_table(TABLE, file, **options)
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(0)
    return file.getvalue()[chunk.dictionary_page_offset or chunk.data_page_offset :][:64]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("checksum", [True, False])
def test_pages_of_every_kind(version: str, dictionary: bool, checksum: bool) -> None:
    """Dictionary pages and both kinds of data pages, as they are written."""
    head = first_page(data_page_version=version, use_dictionary=dictionary, write_page_checksum=checksum)

    assert has_checksum(head) == checksum


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (bytes.fromhex("15 00 15 02 15 02 15 07 2c"), True),  # type 0, sizes 1 and 1, crc -4, data_page_header
        (bytes.fromhex("15 00 15 02 15 02 2c"), False),  # the same without
        (bytes.fromhex("15 00 15 02 25 07"), True),  # one size is left out: a step of two, to the fourth field
        (b"", False),
        (bytes.fromhex("15 00 15 02 15 02 15 ff ff ff ff ff 01"), False),  # longer than an i32 can be
        (bytes.fromhex("15 00 15 02 15 02 15"), False),  # cut off
    ],
)
def test_by_the_letter(head: bytes, found: bool) -> None:
    """Byte for byte, after Thrift's compact protocol."""
    assert has_checksum(head) == found


@given(st.binary(max_size=64))
def test_no_bytes_are_too_odd(head: bytes) -> None:
    """Whatever it is given, it answers."""
    assert has_checksum(head) in (True, False)
