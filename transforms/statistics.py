"""The Beam CombineFn that fits statistics: one pass over the input, merged in any order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import apache_beam as beam
import pyarrow as pa

from models.accumulators import ACCUMULATORS, Accumulator
from models.statistics import Statistics
from transforms.modalities.base import ModalitySpec

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
