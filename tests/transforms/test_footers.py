"""Tests of footers: fetched with few reads, parsed in a child that may die, refused when they are absurd."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import PermissionRefused, StorageAway, TemporaryError
from tests.transforms.failing_storage import FailingStorage, Sleeps, read_through, sleeps
from tests.transforms.hostile_footers import HOSTILE, flat_schema, lying_length, metadata, row_group
from tests.transforms.parquet_inputs import keyed, write_folder
from transforms import footer_parser, footers
from transforms.footer_parser import describe
from transforms.footer_process import FooterParser
from transforms.footers import InputFile, fetch_footer, read_footers, without_checksums
from transforms.locations import list_files, open_file

__all__ = ["sleeps"]


def footers_of(folder: Path) -> dict[str, InputFile | str]:
    """Name -> what the footer of each file in a folder says, or why it cannot."""
    files = list_files(str(folder))
    return dict(zip([name for _, name in files], read_footers(files), strict=True))


def footer_in(raw: bytes) -> bytes:
    """The footer of a file's content."""
    return raw[-8 - int.from_bytes(raw[-8:-4], "little") : -8]


def small_footer() -> bytes:
    """The footer of a file of five rows."""
    file = io.BytesIO()
    pq.write_table(keyed(0, 5), file)
    return footer_in(file.getvalue())


def test_a_file_is_what_pyarrow_says_of_it(tmp_path: Path) -> None:
    """Size, schema and row groups; the schema without the file's own metadata."""
    table = keyed(0, 250).replace_schema_metadata({"who": "pandas"})
    folder = write_folder(tmp_path, {"a.parquet": table})
    parquet = pq.ParquetFile(folder / "a.parquet").metadata

    found = footers_of(folder)["a.parquet"]

    assert isinstance(found, InputFile)
    assert (found.size, found.rows) == ((folder / "a.parquet").stat().st_size, 250)
    assert found.row_groups == tuple(
        (parquet.row_group(i).num_rows, parquet.row_group(i).total_byte_size) for i in range(3)
    )
    assert found.schema.equals(keyed(0, 1).schema, check_metadata=True)


@pytest.mark.parametrize("columns", [1, 400, 8000], ids=["short", "longer than one read", "fetched alone"])
def test_footers_of_every_length_are_fetched_whole(tmp_path: Path, columns: int) -> None:
    """Whether they lie within the tail that is read first or not."""
    table = pa.table({f"column {i}": pa.array([i]) for i in range(columns)})
    folder = write_folder(tmp_path, {"a.parquet": table, "b.parquet": keyed(0, 5)})

    found = footers_of(folder)

    assert [f.rows for f in found.values() if isinstance(f, InputFile)] == [1, 5]
    with open_file(str(folder / "a.parquet"), "a.parquet") as file:
        footer = fetch_footer(file)
    assert footer == footer_in((folder / "a.parquet").read_bytes())
    lengths = {1: (0, footers._TAIL), 400: (footers._TAIL, footers._AHEAD), 8000: (footers._AHEAD, footers._LIMIT)}
    assert lengths[columns][0] < len(footer) < lengths[columns][1]  # the case is the one that its name says


def test_a_footer_that_says_it_has_2_gib_is_none(tmp_path: Path) -> None:
    """Its length is compared with the file's before anything is read."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(100) + lying_length())

    assert footers_of(tmp_path)["a.parquet"] == (
        "a Parquet file must end with a footer; got something else (truncated?)"
    )


@pytest.fixture(scope="module")
def parser() -> Iterator[FooterParser]:
    """One child for many footers, as in a run."""
    with FooterParser() as parser:
        yield parser


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_footers_are_refused_and_cost_themselves_only(parser: FooterParser, name: str) -> None:
    """One sentence of a bounded length; the next footer is parsed as if nothing had been."""
    refused = parser(HOSTILE[name], len(HOSTILE[name]) + 12)
    good = parser(small_footer(), 1000)

    assert isinstance(refused, str), refused
    assert refused.startswith("a Parquet footer must ")
    assert len(refused) < 2 * footer_parser.MAX_SENTENCE
    assert not isinstance(good, str), good


def test_the_child_has_a_limit_on_its_memory_and_leaves_no_core(parser: FooterParser) -> None:
    """1 GiB on top of what Python and pyarrow take themselves, which is 310 MiB of address space here."""
    assert not isinstance(parser(small_footer(), 1000), str)

    pid = parser._child.pid
    assert footer_parser.MEMORY < resource.prlimit(pid, resource.RLIMIT_AS)[1] < 2 * footer_parser.MEMORY
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


def test_a_footer_that_takes_too_much_memory_is_told_so(parser: FooterParser) -> None:
    """15 MB that would be 4 GB once they are parsed."""
    footer = HOSTILE["five million columns of which nothing is said"]

    assert parser(footer, len(footer)) == "a Parquet footer must be parsed within 1024 MiB; got one that is not"


def test_a_footer_that_takes_too_long_ends_its_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's own clock is the CPU's, so that a busy machine refuses no file."""
    limit = "import transforms.footer_parser as p; p.SECONDS = 0.02; p.main()"
    footer = HOSTILE["two hundred thousand row groups"]

    with FooterParser([sys.executable, "-c", limit]) as parser:
        answers = [parser(footer * 20, 1 << 40), parser(small_footer(), 1000)]

    assert answers[0] == "a Parquet footer must be parsed within 10 s; got one that is not"
    assert not isinstance(answers[1], str)


def test_a_footer_that_ends_its_parser_is_named_and_the_next_one_gets_a_new_parser() -> None:
    """Death by a signal is told with its number."""
    good = small_footer()
    with FooterParser() as parser:
        assert not isinstance(parser(good, 1000), str)
        os.kill(parser._child.pid, signal.SIGSEGV)
        parser._child.wait()
        assert not isinstance(parser(good, 1000), str)
        os.kill(parser._child.pid, signal.SIGSTOP)  # so that it dies with the footer in its hands
        parser._child.send_signal(signal.SIGKILL)
        assert parser(good, 1000) == (
            "a Parquet footer must be readable; got one that ended the process which parsed it (status -9)"
        )
        assert not isinstance(parser(good, 1000), str)


def test_no_child_is_left(tmp_path: Path) -> None:
    """Neither after the last footer nor when the one who asks breaks off."""
    folder = write_folder(tmp_path, {f"{i}.parquet": keyed(i, i + 1) for i in range(3)})
    before = set(psutil.Process().children())

    next(read_footers(list_files(str(folder))))  # and never again
    list(read_footers(list_files(str(folder))))

    assert set(psutil.Process().children()) <= before


def test_no_files_need_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to read, nothing started."""
    monkeypatch.setattr(footers, "FooterParser", lambda: pytest.fail("a child was started"))

    assert list(read_footers([])) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nothing/here"], "No such file"),
        ([sys.executable, "-m", "transforms.no_such_module"], "exit status 1 and: .*No module named"),
        ([sys.executable, "-c", "import time; print('hello', flush=True)"], "exit status 0"),
    ],
    ids=["no program", "no module", "another program"],
)
def test_a_child_that_cannot_be_started_is_an_error_not_a_skipped_check(command: list[str], words: str) -> None:
    """No process left, or none that finds its packages: try again later."""
    with pytest.raises(TemporaryError, match=f"a child process must start.*{words}"), FooterParser(command) as parser:
        parser(small_footer(), 1000)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(PermissionError(13, "denied"), PermissionRefused), (OSError("503"), StorageAway)],
    ids=["refused", "away"],
)
def test_storage_that_fails_is_no_unreadable_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeps: Sleeps, error: OSError, raised: type[Exception]
) -> None:
    """What cannot be fetched says nothing of what it holds."""
    folder = write_folder(tmp_path, {"a.parquet": keyed(0, 5)})
    files = list_files(str(folder))
    read_through(monkeypatch, FailingStorage(1.0, error=lambda: error))

    with pytest.raises(raised, match=r"a\.parquet must be readable"):
        list(read_footers(files))


def test_files_without_checksums_are_named(tmp_path: Path) -> None:
    """Told from a page; a file without rows has nothing that could be damaged."""
    folder = write_folder(tmp_path, {"with.parquet": keyed(0, 5), "empty.parquet": keyed(0, 0)})
    pq.write_table(keyed(0, 5), folder / "without.parquet")

    found = [f for f in footers_of(folder).values() if isinstance(f, InputFile)]

    assert without_checksums(found) == ("without.parquet",)


@pytest.mark.parametrize(
    ("footer", "words"),
    [
        (metadata(flat_schema(1), [row_group(6401, 1)]), "6,401 rows, more than 6,400"),  # 64 a byte, 100 bytes
        (metadata(flat_schema(1), [row_group(1, 6_553_601)]), "6,553,601 uncompressed bytes, more than 6,553,600"),
        (metadata(flat_schema(1), [row_group(-1, 1)]), "row group 0 with -1 rows in 1 bytes"),
        (metadata(flat_schema(10_001)), "10,001 columns, more than 10,000"),
    ],
)
def test_what_is_implausible_is_named(footer: bytes, words: str) -> None:
    """Each limit with what was claimed; the file has 100 bytes."""
    answer, schema = describe(footer, 100)

    assert answer == {"refused": f"a Parquet footer must describe a file that can be; got {words}"}
    assert schema == b""


def test_at_the_limits_a_footer_is_taken() -> None:
    """A limit is a limit and not a target."""
    footer = metadata(flat_schema(10_000), [row_group(6400, 6_553_600)])

    answer, schema = describe(footer, 100)

    assert answer["row_groups"] == [[6400, 6_553_600]]
    assert len(pa.ipc.read_schema(pa.py_buffer(schema))) == 10_000
