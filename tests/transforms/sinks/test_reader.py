"""Tests of Amalgam's own reader: one version, whole, checked, whatever happens meanwhile."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from models.errors import CorruptArtifact, NoInput, SchemaRefused, TemporaryError
from tests.transforms.sinks.samples import DATE, SCHEMA, publish, rows, run_info, write_units
from transforms.sinks import reader
from transforms.sinks.base import Manifest
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec
from transforms.sinks.reader import iterate_published, read_published

REPOSITORY = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("both_layouts")


def _sink(output: Path, tag: str) -> ParquetSink:
    return ParquetSinkSpec(path=str(output)).for_run(run_info(tag)).build()


def _publish(output: Path, tag: str, value: float = 1.0, units: int = 3) -> Manifest:
    """`units` parts of ten rows each."""
    sink = _sink(output, tag)
    return publish(sink, write_units(sink, units=units, value=value))


def _parts(output: Path) -> list[Path]:
    return sorted(Layout(output).features(DATE).iterdir())


def test_all_rows_in_the_order_of_the_parts(tmp_path: Path) -> None:
    """What was written, with its schema."""
    _publish(tmp_path, "a")
    table = read_published(tmp_path, DATE)
    assert table.combine_chunks().to_batches()[0].equals(rows(30))
    assert table.schema.equals(SCHEMA)


def test_streamed_rows_are_the_same(tmp_path: Path) -> None:
    """Ten rows a part, at most four at a time: 4 + 4 + 2, three times over."""
    _publish(tmp_path, "a")
    batches = list(iterate_published(tmp_path, DATE, batch_rows=4))
    assert [batch.num_rows for batch in batches] == [4, 4, 2] * 3
    assert pa.Table.from_batches(batches).combine_chunks().to_batches()[0].equals(rows(30))


def test_columns_come_in_the_order_asked_for(tmp_path: Path) -> None:
    """Only these; one that is not there is an error, not silence."""
    _publish(tmp_path, "a")
    assert read_published(tmp_path, DATE, ["segment", "customer_id"]).column_names == ["segment", "customer_id"]
    with pytest.raises(SchemaRefused, match=r"got none named \['nope'\]"):
        read_published(tmp_path, DATE, ["customer_id", "nope"])


def test_a_date_without_output_is_said_so(tmp_path: Path) -> None:
    """66: it may be there later."""
    _publish(tmp_path, "a")
    with pytest.raises(NoInput, match="date 2026-11-24 must be published"):
        read_published(tmp_path, "2026-11-24")


def test_files_that_the_manifest_does_not_list_are_not_read(tmp_path: Path) -> None:
    """Whatever somebody put there."""
    _publish(tmp_path, "a")
    (Layout(tmp_path).features(DATE) / "a-stray.parquet").write_bytes(_parts(tmp_path)[0].read_bytes())
    assert read_published(tmp_path, DATE).num_rows == 30


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_is_found_and_the_file_named(tmp_path: Path, seed: int) -> None:
    """Anywhere: in a page, in a header, in the footer, also in the name of the run there."""
    _publish(tmp_path, "a", units=1 + seed % 2)
    chance = random.Random(seed)
    path = chance.choice(_parts(tmp_path))
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    with pytest.raises(CorruptArtifact, match=path.name):
        read_published(tmp_path, DATE)


@pytest.mark.parametrize("keep", [0, 3, 100])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    """Also an empty one."""
    _publish(tmp_path, "a")
    path = _parts(tmp_path)[1]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CorruptArtifact, match=path.name):
        list(iterate_published(tmp_path, DATE))


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has published meanwhile, so it is lost."""
    monkeypatch.setattr(reader, "_PAUSE_SECONDS", 0)
    _publish(tmp_path, "a")
    path = _parts(tmp_path)[1]
    path.unlink()
    with pytest.raises(CorruptArtifact, match=f"{path.name} must exist"):
        read_published(tmp_path, DATE)


def test_a_reader_that_comes_too_late_reads_the_new_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is replaced after its manifest was read and before its files are opened."""
    _publish(tmp_path, "old", value=1.0)
    looked = reader._standing

    def look_and_replace(layout: Layout, date: str) -> Manifest:
        monkeypatch.setattr(reader, "_standing", looked)
        found = looked(layout, date)
        _publish(tmp_path, "new", value=2.0, units=2)
        return found

    monkeypatch.setattr(reader, "_standing", look_and_replace)
    table = read_published(tmp_path, DATE, ["fingerprint"])
    assert table["fingerprint"].to_pylist() == ["models 2.0"] * 20


def test_a_version_that_is_being_read_is_read_to_its_end(tmp_path: Path) -> None:
    """Replaced and swept after the first batch: the rest is of the same version all the same."""
    _publish(tmp_path, "old", value=1.0)
    batches = iterate_published(tmp_path, DATE, ["fingerprint"])
    first = next(batches)
    _publish(tmp_path, "new", value=2.0)
    rest = [name for batch in batches for name in batch.column(0).to_pylist()]
    assert (first.num_rows, rest) == (10, ["models 1.0"] * 20)


def test_a_version_that_never_stands_still_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded: another version at every try ends in 75."""
    monkeypatch.setattr(reader, "_PAUSE_SECONDS", 0)
    gone = [_publish(tmp_path, tag) for tag in ("a", "b")]
    _publish(tmp_path, "c")
    tries: list[str] = []

    def another(layout: Layout, date: str) -> Manifest:
        tries.append(date)
        return gone[len(tries) % 2]

    monkeypatch.setattr(reader, "_standing", another)
    with pytest.raises(TemporaryError, match="another version at every try"):
        read_published(tmp_path, DATE)
    assert len(tries) == 100


def test_more_parts_than_files_may_be_open(tmp_path: Path) -> None:
    """A limit of 64 open files, which a process may raise itself, does not stop it from reading 80 parts."""
    _publish(tmp_path, "a", units=80)
    code = (
        "import resource, sys; from pathlib import Path; from transforms.sinks.reader import read_published;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096));"
        f"sys.exit(read_published(Path(sys.argv[1]), '{DATE}', ['fingerprint']).num_rows != 800)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
