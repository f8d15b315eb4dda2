"""A Parquet file of any bytes, read as a run reads it: footer in the child process, then every row group."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pyarrow as pa

from models.errors import SchemaRefused
from transforms import schemas
from transforms.footer_process import FooterParser
from transforms.footers import InputFile, NoFooter, digest, fetch_footer
from transforms.locations import open_file
from transforms.read import RowGroupUnreadable, read_unit
from transforms.units import Rows, Unit

BATCH_ROWS, BATCH_BYTES = 100, 1 << 20


@cache
def _parser() -> FooterParser:
    return FooterParser()  # one for all: starting it takes longer than reading


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="amalgam-fuzz-")


def read_file(content: bytes) -> int:
    """Read what can be read of a file; the number of rows.

    Raises:
        AssertionError: more rows came out than the footer declares.
        Exception: anything but the ways in which the reader refuses a file or a row group.
    """
    path = Path(_folder().name) / "input.parquet"
    path.write_bytes(content)
    file = described(path)
    if file is None:
        return 0
    schema, refused = schemas.unify([(file.name, file.schema)], ())
    return 0 if refused else sum(_read_group(unit, schema) for unit in _units(file))


def described(path: Path) -> InputFile | None:
    """The file as the child process describes it; None where it refuses it, or dies of it."""
    with open_file(str(path), path.name) as opened:
        try:
            footer = fetch_footer(opened)
        except NoFooter:
            return None
        assert footer is not None
        answer = _parser()(footer, opened.size())
    if isinstance(answer, str):
        return None
    return InputFile(str(path), path.name, path.stat().st_size, digest(footer), *vars(answer).values())


def _units(file: InputFile) -> list[Unit]:
    firsts = [sum(rows for rows, _ in file.row_groups[:index]) for index in range(len(file.row_groups))]
    return [
        Unit(f"{index:06d}-fuzz", file.uri, file.name, (Rows(index, first, 0, rows),), size, file.footer)
        for index, (first, (rows, size)) in enumerate(zip(firsts, file.row_groups, strict=True))
    ]


def _read_group(unit: Unit, schema: pa.Schema) -> int:
    try:
        batches = read_unit(unit, schema, batch_rows=BATCH_ROWS, batch_bytes=BATCH_BYTES)
        rows = sum(int(batch.num_rows) for batch in batches)
    except (RowGroupUnreadable, SchemaRefused):
        return 0
    assert rows == sum(piece.rows for piece in unit.slices)
    return rows
