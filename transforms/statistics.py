"""The Beam CombineFn that fits statistics: one pass over the input, merged in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import apache_beam as beam
import pyarrow as pa

from models.accumulators import ACCUMULATORS, Accumulator
from models.columns import column_of
from models.learn.split import held_out_mask
from models.statistics import Statistics
from transforms.modalities.base import ModalitySpec
from transforms.read import each_readable
from transforms.recipe import Limits
from transforms.units import Unit

_ROWS = 4096  # of a batch: numbers and short lists, without pictures or sounds

Observed: TypeAlias = Mapping[str, Mapping[str, pa.Array]]
"""Modality -> field -> the values seen in one batch."""
State: TypeAlias = dict[tuple[str, str], Accumulator]
"""(Modality, field) -> what was counted so far; a few hundred kB at most, and picklable."""


def observe(modalities: Mapping[str, ModalitySpec], batch: pa.RecordBatch) -> Observed:
    """What one input batch adds to the statistics of every modality that needs some."""
    return {name: spec.observe(spec.gather(batch)) for name, spec in modalities.items() if spec.fields()}


class FitStatistics(beam.CombineFn):  # type: ignore[misc]  # Beam ships no types
    """Combines `Observed` batches into `Statistics`; fields that were never seen have count 0."""

    def __init__(self, fields: Mapping[str, Mapping[str, str]]) -> None:
        """Take modality -> `ModalitySpec.fields()`."""
        self.kinds = {(modality, name): kind for modality, f in fields.items() for name, kind in f.items()}

    @classmethod
    def of(cls, modalities: Mapping[str, ModalitySpec]) -> FitStatistics:
        """The CombineFn for a job's modalities."""
        return cls({name: spec.fields() for name, spec in modalities.items()})

    def create_accumulator(self) -> State:
        """Nothing seen yet."""
        return {key: ACCUMULATORS[kind]() for key, kind in self.kinds.items()}

    def add_input(self, state: State, observed: Observed) -> State:
        """Count one batch."""
        for modality, fields in observed.items():
            for name, values in fields.items():
                state[modality, name].update(values)
        return state

    def merge_accumulators(self, states: Iterable[State]) -> State:
        """One state that has seen all that the others have; they stay as they are."""
        merged: dict[tuple[str, str], Any] = self.create_accumulator()
        for state in states:
            for key, accumulator in state.items():
                merged[key].merge(accumulator)
        return merged

    def extract_output(self, state: State) -> Statistics:
        """The statistics of all that was seen."""
        statistics: Statistics = {modality: {} for modality, _ in sorted(state)}
        for (modality, name), accumulator in sorted(state.items()):
            statistics[modality][name] = accumulator.finish()
        return statistics


class ObserveUnits(beam.DoFn):  # type: ignore[misc]  # Beam ships no types
    """Unit -> what each of its batches adds to the statistics; held-out rows add nothing."""

    def __init__(
        self,
        schema: pa.Schema,
        modalities: Mapping[str, ModalitySpec],
        group: str,
        held_out: float,
        seed: int,
        limits: Limits,
    ) -> None:
        """Take the input's schema, the modalities, and the split as `models.learn.split` describes it."""
        self._modalities = {name: spec for name, spec in modalities.items() if spec.fields()}
        columns = {column for spec in self._modalities.values() for column in spec.input_columns()} | {group}
        self._schema = pa.schema([field for field in schema if field.name in columns])
        self._group, self._held_out, self._seed = group, held_out, seed
        self._limits = limits

    def process(self, unit: Unit) -> Iterator[Observed]:
        """Observe one unit; an unreadable row group teaches nothing, and is counted by the run that publishes it."""
        size = self._limits.batch_bytes
        yield from each_readable(unit, self._schema, self._observed, batch_rows=_ROWS, batch_bytes=size)

    def _observed(self, batch: pa.RecordBatch) -> Observed:
        training = ~held_out_mask(column_of(batch, self._group), self._held_out, self._seed)
        return observe(self._modalities, batch.filter(pa.array(training)))
