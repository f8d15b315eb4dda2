"""The one DoFn: around `transforms.process`, which plans and tests run without loading Beam."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np

from transforms import metrics
from transforms.diary import Diary
from transforms.failures import note_failure
from transforms.process import Care, Notes, UnitProcessor
from transforms.recall.spec import Recall, RecallSpec
from transforms.recipe import Recipe
from transforms.sinks.base import SinkSpec
from transforms.steps import rehearsal
from transforms.units import Unit
from transforms.workers.base import WorkersSpec


class ProcessUnits(beam.DoFn):  # type: ignore[misc]  # Beam ships no types
    """(unit id, {"unit": [Unit], "repeated": [row numbers, …]}) -> (unit id, Part as JSON)."""

    def __init__(
        self, recipe: Recipe, sink: SinkSpec, workers: WorkersSpec, notes: Notes, recall: RecallSpec | None = None
    ) -> None:
        self._recipe = recipe
        self._sink = sink
        self._workers_spec = workers
        self._notes = notes
        self._recall = recall

    def setup(self) -> None:
        """Build cleaners and fusion, and connect to the workers: once per process."""
        with note_failure(self._notes.failures, "setup"):
            self._workers = self._workers_spec.build()
            spec = self._workers_spec
            care = Care(Diary(self._notes.diary), rehearsal(self._recipe, spec), spec.deadline)
            recall = Recall(self._recipe, self._recall)
            self._processor = UnitProcessor(self._recipe, self._sink.build(), self._workers, care=care, recall=recall)

    def process(self, element: tuple[str, Mapping[str, Iterable[object]]]) -> Iterator[str]:
        """Process one unit, unless only its repeated keys are here because it was done before."""
        name, grouped = element
        for unit in grouped["unit"]:
            assert isinstance(unit, Unit)
            repeated = [np.asarray(rows, np.int64) for rows in grouped["repeated"]]
            with note_failure(self._notes.failures, name):
                part = self._processor(unit, np.concatenate([np.empty(0, np.int64), *repeated]))
            metrics.count(part.counts)
            yield part.unit

    def teardown(self) -> None:
        """Let go of the workers."""
        self._workers.close()
