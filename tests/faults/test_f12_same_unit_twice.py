"""F12: the same unit executed twice at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.errors import CorruptArtifact
from pipelines.run import prepare
from tests.e2e.retail import state
from tests.faults.nights import TinyNight, make_night
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, NIGHT, records
from transforms.ledger import UnitCounts
from transforms.process import UnitProcessor
from transforms.sinks.base import Part, PartWriter, Sink
from transforms.workers.inline import InlineWorkers

pytestmark = pytest.mark.beam

REPOSITORY = Path(__file__).parents[2]
PROCESSES = 3
UNITS = 6  # of 50 rows


@pytest.fixture
def night(tmp_path: Path) -> TinyNight:
    """300 rows and a repeated key, in six units."""
    twice = pa.concat_tables([records(0, 149), records(5, 6)])
    return make_night(tmp_path, twice, records(150, 300), execution={"processes": 1, "unit_rows": 50})


def test_processes_that_race_leave_one_part_each(night: TinyNight, tmp_path: Path) -> None:
    """Three processes do each unit at the same moment: one part stands, whole, and the run has nothing to do again."""
    night.run("output.path=elsewhere")
    undisturbed = night.published(night.folder / "elsewhere")
    script = str(Path(__file__).with_name("same_units_at_once.py"))
    command = [sys.executable, script, str(night.job), str(PROCESSES)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False)
    assert done.returncode == 0
    parts = list(night.out.glob("staging/*/features/*.parquet"))
    assert len(parts) == UNITS

    # The attempts knew nothing of the repeated key, which a run's shuffle finds; so that unit is done by the run.
    (first,) = night.out.glob("staging/*/units/000002-*.json")
    first.unlink()
    with watching(night.out, DATE):
        outcome = night.run()

    assert outcome.manifest.details["units"] == {"done": UNITS, "resumed": UNITS - 1}
    night.assert_sound(undisturbed=undisturbed)


class Late:
    """A sink whose writers wait before they close, as an attempt does that a runner has given up but not stopped."""

    def __init__(self, sink: Sink, reached: threading.Event, go_on: threading.Event) -> None:
        self._sink, self._reached, self._go_on = sink, reached, go_on

    def open(self, unit: str, schema: pa.Schema, record_type: pa.DataType) -> LateWriter:
        """A late writer of the unit."""
        return LateWriter(self._sink.open(unit, schema, record_type), self._reached, self._go_on)


class LateWriter:
    """Writes at once and closes late."""

    def __init__(self, writer: PartWriter, reached: threading.Event, go_on: threading.Event) -> None:
        self._writer, self._reached, self._go_on = writer, reached, go_on
        self.write, self.quarantine, self.abandon = writer.write, writer.quarantine, writer.abandon

    def close(self, counts: UnitCounts) -> Part:
        """Wait, then close."""
        self._reached.set()
        assert self._go_on.wait(60)
        return self._writer.close(counts)


def late_attempt(night: TinyNight, reached: threading.Event, go_on: threading.Event) -> None:
    """Process the first unit beside the run."""
    work = prepare(night.load(), NIGHT)
    late = Late(work.sink.build(), reached, go_on)
    UnitProcessor(work.recipe, late, InlineWorkers())(work.inputs.units[0], np.empty(0, np.int64))  # type: ignore[arg-type]  # open() is all that it uses


def test_an_attempt_that_ends_after_publication_changes_nothing(night: TinyNight) -> None:
    """Its unit was done by another attempt and published; what it leaves in staging goes with the next command."""
    reached, go_on = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as threads, watching(night.out, DATE):
        attempt = threads.submit(late_attempt, night, reached, go_on)
        assert reached.wait(60)
        night.run()
        published = state(night.out / "features")
        go_on.set()
        refused = attempt.exception()

    assert state(night.out / "features") == published
    assert isinstance(refused, CorruptArtifact)  # what it wrote was swept with the staging
    assert night.run().status == "already published"
    night.assert_sound()
