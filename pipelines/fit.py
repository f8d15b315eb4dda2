"""`amalgam fit`: one Beam pass over the training rows that learns normalization statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pyarrow as pa

from models.errors import ConfigError, NoInput, Problem
from models.statistics import Statistics, load_statistics, save_statistics
from pipelines import runners
from pipelines.decision_columns import history_problems
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
    processes = job.execution.processes or runners.helpful_processes(inputs.rows)
    options = runners.options_for(beam_args, processes=processes)
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
        ConfigError: the split's group or a label is not a column.
    """
    training = job.need_training("fit")
    inputs = plan_input(training.path, job.history_columns(), job.execution.unit_rows, job.execution.unit_bytes)
    refuse_unusable_files(job, inputs)
    if not inputs.rows:
        raise NoInput(f"training.path must hold rows; got none at {training.path}")
    _require_columns(job, inputs.schema)
    return inputs


def _require_columns(job: Job, schema: pa.Schema) -> None:
    """The split's group and all that heads learn from must be columns of the history."""
    path, group = "training.split.by", job.need_training("fit").split.by
    known = f"must be a column of training.path; got {group!r}; columns: {', '.join(schema.names)}"
    problems = [] if group in schema.names else [Problem(path, known)]
    if problems := [*problems, *history_problems(job.heads, schema)]:
        raise ConfigError(problems)
