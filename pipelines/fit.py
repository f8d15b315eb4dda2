"""`amalgam fit`: one Beam pass over the training rows that learns normalization statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam

from models.errors import NoInput
from models.statistics import Statistics, load_statistics, save_statistics
from pipelines import runners
from pipelines.execute import run_pipeline
from pipelines.job import Job
from pipelines.recipes import resolved_modalities, statistics_folder
from pipelines.run import refuse_unusable_files
from transforms.statistics import FitStatistics, ObserveUnits
from transforms.units import InputPlan, plan_input


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
    split, limits = training.split, job.execution.limits()
    observe_units = ObserveUnits(inputs.schema, modalities, split.by, split.held_out, split.seed, limits)
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | "Units" >> beam.Create(inputs.units)
        | "Spread" >> beam.Reshuffle()
        | "Observe" >> beam.ParDo(observe_units)
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
