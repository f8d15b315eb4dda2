"""F20: a published file altered later: truncated, or one bit flipped."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from models.errors import AmalgamError
from pipelines.verify import verify
from tests.transforms.sinks.samples import DATE, publish, rows, run_info, write_unit, write_units
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec
from transforms.sinks.reader import read_published

FLIPS = 300  # FAULTS.md's, of every sort of file
CLEAN_READS = 1000  # FAULTS.md's


def sink_of(output: Path) -> ParquetSink:
    """The sink of the one run."""
    return ParquetSinkSpec(path=str(output)).for_run(run_info()).build()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Three parts of 10 rows, and 2 quarantined rows."""
    publish(sink_of(tmp_path), write_units(sink_of(tmp_path)))
    return tmp_path


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """One part of 10 rows: no other part tells which run stands there."""
    publish(sink_of(tmp_path), [write_unit(sink_of(tmp_path), "00000-u", rows(10))])
    return tmp_path


def parts(output: Path) -> list[Path]:
    """The published parts."""
    return sorted(Layout(output).features(DATE).iterdir())


def quarantine(output: Path) -> list[Path]:
    """The quarantine files."""
    return sorted(Layout(output).quarantine(DATE).iterdir())


def manifest(output: Path) -> list[Path]:
    """The commit record."""
    return [Layout(output).manifest(run_info().run_id)]


def flips(files: Sequence[Path], seed: int, count: int = FLIPS) -> Iterator[tuple[Path, str]]:
    """(file, place) of so many files with one flipped bit each, anywhere; repaired when the next one is asked for."""
    chance = random.Random(seed)
    for _ in range(count):
        path = chance.choice(files)
        good = path.read_bytes()
        byte, bit = chance.randrange(len(good)), chance.randrange(8)
        path.write_bytes(good[:byte] + bytes([good[byte] ^ 1 << bit]) + good[byte + 1 :])
        yield path, f"{path.name}, byte {byte} of {len(good)}, bit {bit}"
        path.write_bytes(good)


def is_named(path: Path, output: Path) -> bool:
    """Whether `verify` names the file."""
    return any(str(path) in problem for problem in verify(output, DATE).problems)


@pytest.mark.parametrize("kind", [parts, quarantine, manifest])
def test_verify_names_every_flipped_file(output: Path, kind: Callable[[Path], list[Path]]) -> None:
    """300 of 300 flips in each sort of file: parts, quarantine files, the manifest."""
    assert [place for path, place in flips(kind(output), seed=20) if not is_named(path, output)] == []


def test_verify_names_the_only_part(single: Path) -> None:
    """Also where its footer, which says whose part it is, is what was damaged."""
    assert [place for path, place in flips(parts(single), seed=21) if not is_named(path, single)] == []


@pytest.mark.parametrize("kind", [parts, manifest])
def test_our_reader_refuses_every_flipped_file(output: Path, kind: Callable[[Path], list[Path]]) -> None:
    """300 of 300: it names the file, and gives no row of it."""
    read = [(path, place, refusal(output)) for path, place in flips(kind(output), seed=22)]
    assert [(place, told) for path, place, told in read if told is None or str(path) not in told] == []


def refusal(output: Path) -> str | None:
    """What the reader says, or None where it gives rows."""
    try:
        read_published(output, DATE)
    except AmalgamError as error:
        return str(error)
    return None


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_truncated_part_is_named(output: Path, kept: int) -> None:
    """Nothing left, a byte, the beginning, all but a byte: by `verify` and by the reader."""
    path = parts(output)[1]
    path.write_bytes(path.read_bytes()[:kept])
    assert is_named(path, output)
    assert str(path) in (refusal(output) or "")


def test_a_thousand_clean_reads_are_clean(output: Path) -> None:
    """No false alarm: the reader 1,000 times, `verify` 100 times."""
    assert {read_published(output, DATE).num_rows for _ in range(CLEAN_READS)} == {30}
    assert {tuple(verify(output, DATE).problems) for _ in range(CLEAN_READS // 10)} == {()}
