"""Tests of planning: which files, which units, and what their ids depend on."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.parquet_inputs import keyed, plan, write_folder
from transforms.footers import InputFile
from transforms.units import Rows, cut_units, plan_input


def test_units_collect_whole_row_groups_up_to_the_row_limit(tmp_path: Path) -> None:
    """Row groups of 100 rows make units of 200 when 250 are allowed."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 500)})

    units = plan(folder, unit_rows=250).units

    assert [u.rows for u in units] == [200, 200, 100]
    assert units[1].slices == (Rows(2, 200, 0, 100), Rows(3, 300, 0, 100))


def test_a_row_group_above_the_limit_is_cut_evenly(tmp_path: Path) -> None:
    """One row group of 1000 rows with units of at most 300 gives four of 250."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 1000)}, row_group_rows=1000)

    units = plan(folder, unit_rows=300).units

    assert [u.slices for u in units] == [(Rows(0, 250 * i, 250 * i, 250),) for i in range(4)]


def test_a_unit_never_spans_two_files(tmp_path: Path) -> None:
    """Two files of 100 rows stay two units even where one could hold both."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 100), "b.parquet": keyed(100, 200)})

    assert [u.name for u in plan(folder).units] == ["a.parquet", "b.parquet"]


def test_bytes_bound_a_unit_too(tmp_path: Path) -> None:
    """With room for one row group's bytes only, every row group is a unit."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 300)})
    footer = pq.read_metadata(folder / "a.parquet")
    largest = max(footer.row_group(i).total_byte_size for i in range(3))

    assert [u.rows for u in plan(folder, unit_bytes=largest).units] == [100, 100, 100]


@given(
    groups=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 10_000)), max_size=8),
    unit_rows=st.integers(1, 300),
    unit_bytes=st.integers(1, 5000),
)
def test_units_hold_every_row_once_and_in_order(groups: list[tuple[int, int]], unit_rows: int, unit_bytes: int) -> None:
    """Whatever the sizes, the units' slices count 0, 1, 2, … through the file."""
    file = InputFile("/a.parquet", "a.parquet", 1000, "digest", pa.schema([]), tuple(groups), None)

    units = cut_units([file], unit_rows, unit_bytes)

    numbers = [n for u in units for s in u.slices for n in range(s.first, s.first + s.rows)]
    assert numbers == list(range(sum(rows for rows, _ in groups)))
    assert all(u.rows <= unit_rows for u in units)


def test_ids_change_with_the_file_and_with_nothing_else(tmp_path: Path) -> None:
    """The same bytes in another folder give the same ids; another value gives others."""
    first = plan(write_folder(tmp_path / "one", {"a.parquet": keyed(0, 100)}))
    same = plan(write_folder(tmp_path / "two", {"a.parquet": keyed(0, 100)}))
    other = plan(write_folder(tmp_path / "three", {"a.parquet": keyed(1, 101)}))

    assert [u.id for u in first.units] == [u.id for u in same.units]
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert first.units[0].id != other.units[0].id


def test_ids_sort_in_input_order(tmp_path: Path) -> None:
    """Sorted by id, the units stand as in the input, also beyond nine files."""
    folder = write_folder(tmp_path, {f"{i:02d}.parquet": keyed(i, i + 1) for i in range(12)})

    units = plan(folder).units

    assert sorted(units, key=lambda u: u.id) == list(units)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "0 bytes"), (b"PAR1" + b"x" * 40, "something else"), (b"PAR1\x00\x00\x00\xff\xff\xff\x7fPAR1", "something")],
    ids=["empty", "truncated", "lying length"],
)
def test_a_file_without_a_footer_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    """Such a file is listed with a reason, and the others are planned."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 10)})
    (folder / "bad.parquet").write_bytes(content)

    found = plan(folder)

    assert words in found.unreadable["bad.parquet"]
    assert found.rows == 10


def test_a_file_without_rows_has_no_units_but_a_schema(tmp_path: Path) -> None:
    """Zero rows are input, not an error."""
    found = plan(write_folder(tmp_path, {"a.parquet": keyed(0, 0)}))

    assert (found.units, found.rows, found.schema.names) == ((), 0, ["id", "value"])


def test_a_uri_is_listed_like_a_path(tmp_path: Path) -> None:
    """file:// goes through pyarrow's file systems and gives URIs back."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 3)})

    found = plan_input(f"file://{folder}", ["id"], 10, 1 << 20)

    assert found.files[0].uri == f"file://{folder}/a.parquet"
    assert found.rows == 3
    assert found.schema.field("id").type == pa.string()
