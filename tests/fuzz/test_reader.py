"""Property-based fuzzing of the reader: mutated Parquet files are refused, or cost their row groups."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.files import tables
from tests.fuzz.mutations import mutated
from tests.fuzz.reading import described, read_file

FINDINGS = Path(__file__).with_name("findings")


def test_whole_files_are_read() -> None:
    """What fuzzing starts from: 20 rows each."""
    assert [read_file(file) for file in tables()] == [20, 20]


@settings(max_examples=150)
@given(data=st.data())
def test_mutated_files(data: st.DataObject) -> None:
    """No exception escapes but those that say which file or row group cannot be read."""
    read_file(data.draw(mutated(tables())))


def test_a_column_whose_name_is_no_utf8() -> None:
    """Found by coverage-guided fuzzing: a column's path in the footer with a byte that begins no character."""
    file = tables()[0]
    names = [place for place in range(len(file)) if file.startswith(b"amount", place)]

    for place in names:  # in the schema, and in each row group's columns
        read_file(file[: place + 5] + b"\x9b" + file[place + 6 :])


def test_a_footer_at_which_pyarrow_aborts(tmp_path: Path) -> None:
    """Found by coverage-guided fuzzing: statistics of a wrong length end the process, so the child meets them."""
    path = tmp_path / "input.parquet"
    path.write_bytes(FINDINGS.joinpath("wrong_level_histogram.parquet").read_bytes())

    assert described(path) is None
