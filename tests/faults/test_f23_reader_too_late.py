"""F23: a reader lists the files before the swap and opens them after it.

Files of two versions never have the same name, so other people's readers fail loudly; Amalgam's own starts again on
the version that stands. Neither ever gives rows of both.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count, takewhile
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from tests.transforms.sinks.samples import DATE, publish, run_info, write_units
from tests.transforms.sinks.systems import WithoutExchange
from transforms.sinks import storage
from transforms.sinks.layout import Layout
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec
from transforms.sinks.reader import iterate_published, read_published

VERSIONS: Mapping[tuple[str, ...], int] = {("models 1.0",): 20, ("models 2.0",): 30}
"""What makes the rows of a version -> how many they are: two parts of ten, and three."""
POLLS = [500, pytest.param(10_000, marks=pytest.mark.slow)]


@pytest.fixture(params=["exchange", "links"])
def output(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output on which the first version stands, in each layout."""
    if request.param == "links":
        monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    _publish(tmp_path, 1)
    return tmp_path


def _publish(output: Path, version: int) -> None:
    sink: ParquetSink = ParquetSinkSpec(path=str(output)).for_run(run_info(f"{version}")).build()
    publish(sink, write_units(sink, units=1 + version, value=float(version), removed=0))


class Publisher(threading.Thread):
    """The two versions replace each other, without a pause, until told to stop."""

    def __init__(self, output: Path) -> None:
        super().__init__(name="publisher")
        self.publications = 0
        self.stop = threading.Event()
        self._output = output

    def run(self) -> None:
        while not self.stop.is_set():
            _publish(self._output, 2 - self.publications % 2)
            self.publications += 1

    def during(self, polls: int) -> Iterator[int]:
        """So many numbers, and more if fewer than ten publications came meanwhile; then the end of publishing."""
        self.start()
        try:
            yield from takewhile(lambda poll: poll < polls or (self.publications < 10 and self.is_alive()), count())
        finally:
            self.stop.set()
            self.join()
        assert self.publications >= 10


@pytest.mark.parametrize("polls", POLLS)
def test_our_reader_sees_one_version_at_every_poll(output: Path, polls: int) -> None:
    """Every poll succeeds, and sees all rows of one version and no others."""
    seen: Counter[tuple[str, ...]] = Counter()
    for poll in Publisher(output).during(polls):
        if poll % 2:
            names = read_published(output, DATE, ["fingerprint"])["fingerprint"].to_pylist()
        else:
            batches = iterate_published(output, DATE, ["fingerprint"], batch_rows=7)
            names = [name for batch in batches for name in batch.column(0).to_pylist()]
        seen[whole(names)] += 1
    assert seen.keys() == VERSIONS.keys()


@pytest.mark.parametrize("polls", POLLS)
def test_another_reader_sees_one_version_or_fails_loudly(output: Path, polls: int) -> None:
    """pyarrow's dataset: all rows of one version, a file that is gone, or no file and so no column."""
    seen: Counter[tuple[str, ...]] = Counter()
    folder = Layout(output).features(DATE)
    for _ in Publisher(output).during(polls):
        try:
            table = ds.dataset(folder, format="parquet").to_table()
            names = table["fingerprint"].to_pylist()
        except (FileNotFoundError, KeyError):
            continue  # loud
        seen[whole(names)] += 1
    assert seen.keys() == VERSIONS.keys()


def whole(names: list[str]) -> tuple[str, ...]:
    """The version that these rows are, all of it and nothing else."""
    view = tuple(sorted(set(names)))
    assert len(names) == VERSIONS.get(view), f"{len(names)} rows of {view}"
    return view
