"""`amalgam fit`: one Beam pass over the training rows that learns normalization statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pyarrow as pa

from models.errors import NoInput
from models.learn.split import held_out_mask
from models.statistics import Statistics, load_statistics, save_statistics
from pipelines import runners
from pipelines.config import Job, Split
from pipelines.execute import run_pipeline
from pipelines.recipes import resolved_modalities, statistics_folder
from pipelines.run import refuse_unusable_files
from transforms.modalities.base import ModalitySpec
from transforms.read import RowGroupUnreadable, read_unit
from transforms.recipe import Limits
from transforms.statistics import FitStatistics, Observed, observe
from transforms.units import InputPlan, Unit, plan_input


@dataclass(frozen=True)
class Fitted:
    """What `fit` learned, and where it stands."""

    statistics: Statistics
    folder: Path
    rows: int


def fit(job: Job, beam_args: Sequence[str] = ()) -> Fitted:
    """Learn the statistics of every field that a modality normalizes.

    Held-out rows do not take part, so that `evaluate` stays honest.
    """
    training = job.need_training("fit")
    inputs = plan_history(job)
    modalities = resolved_modalities(job, inputs.schema, training.path)
    folder = statistics_folder(job)
    options = runners.options_for(beam_args, processes=job.execution.processes)
    card = {"input": inputs.fingerprint, "rows": inputs.rows, "split": training.split.model_dump()}
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | "Units" >> beam.Create(inputs.units)
        | "Spread" >> beam.Reshuffle()
        | "Observe" >> beam.ParDo(_Observe(inputs.schema, modalities, training.split, job.execution.limits()))
        | "Fit" >> beam.CombineGlobally(FitStatistics.of(modalities))
        | "Save" >> beam.Map(lambda statistics: save_statistics(folder, statistics, card))
    )
    run_pipeline(pipeline)
    return Fitted(load_statistics(folder), folder, inputs.rows)


def plan_history(job: Job) -> InputPlan:
    """The training input, planned from footers.

    Raises:
        NoInput: nothing at training.path.
        DataRefused: a file cannot be read or used.
    """
    training = job.need_training("fit")
    columns = [*job.input_columns(), training.split.by, *(h.label_column() for h in job.heads.values())]
    keep = [c for c in columns if c not in job.output.keep]  # what a night passes through need not be in the history
    inputs = plan_input(training.path, keep, job.execution.unit_rows, job.execution.unit_bytes)
    refuse_unusable_files(job, inputs)
    if not inputs.rows:
        raise NoInput(f"training.path must hold rows; got none at {training.path}")
    return inputs


class _Observe(beam.DoFn):  # type: ignore[misc]  # Beam ships no types
    """Unit -> what each of its batches adds to the statistics."""

    def __init__(self, schema: pa.Schema, modalities: Mapping[str, ModalitySpec], split: Split, limits: Limits) -> None:
        fields = {c for spec in modalities.values() if spec.fields() for c in spec.input_columns()} | {split.by}
        self._schema = pa.schema([f for f in schema if f.name in fields])
        self._modalities = {name: spec for name, spec in modalities.items() if spec.fields()}
        self._split = split
        self._limits = limits

    def process(self, unit: Unit) -> Iterator[Observed]:
        lost: set[int] = set()
        while True:
            try:
                yield from list(self._observe(unit, lost))
                return
            except RowGroupUnreadable as error:
                lost.add(error.row_group)  # its rows teach nothing; the run that publishes counts them

    def _observe(self, unit: Unit, lost: set[int]) -> Iterator[Observed]:
        batches = read_unit(unit, self._schema, batch_rows=4096, batch_bytes=self._limits.batch_bytes, without=lost)
        for batch in batches:
            groups = batch.column(batch.schema.get_field_index(self._split.by))
            training = ~held_out_mask(groups, self._split.held_out, self._split.seed)
            yield observe(self._modalities, batch.filter(pa.array(training)))
