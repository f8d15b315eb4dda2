"""Prepares what encoders learn from, in one Beam pass over the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import apache_beam as beam

from models.encoders.base import EncoderSpec
from models.learn.encoder_learner import EncoderRows
from models.learn.split import Parts
from pipelines import runners
from pipelines.cores import row_seconds
from pipelines.encoder_rows import Part, PrepareUnits, least_positions, read_rows
from pipelines.execute import run_pipeline
from pipelines.job import Job
from transforms.modalities.base import ModalitySpec
from transforms.units import InputPlan


def prepare(
    job: Job,
    inputs: InputPlan,
    modalities: Mapping[str, ModalitySpec],
    encoders: Mapping[str, EncoderSpec],
    labels: Sequence[str],
    folder: Path,
    beam_args: Sequence[str],
) -> EncoderRows | None:
    """The encoders' part of the history, at most about `training.encoders.max_rows` rows of it; None if it is empty.

    Args:
        job: the job.
        inputs: its history.
        modalities: those that are needed, with their statistics.
        encoders: of these.
        labels: columns that are passed through.
        folder: where prepared units go; those that are there already are not prepared again.
        beam_args: options that go to Beam as they are.
    """
    training, limits = job.need_training("train"), job.execution.limits()
    split, learner = training.split, training.encoders
    part = Part(job.input.key, split.by, Parts(split.held_out, 0.0, split.seed, learner.share))
    if inputs.rows > learner.max_rows:
        part = replace(part, most=least_positions(part, inputs.units, inputs.schema, learner.max_rows, limits))
    todo = [unit for unit in inputs.units if not (folder / f"{unit.id}.arrow").exists()]
    if todo:
        folder.mkdir(parents=True, exist_ok=True)
        rows = min(learner.max_rows, round(sum(unit.rows for unit in todo) * learner.share * (1 - split.held_out)))
        processes = job.execution.processes or runners.helpful_processes(
            rows, row_seconds(modalities.values(), inline=False)
        )
        pipeline = beam.Pipeline(options=runners.options_for(beam_args, processes=processes))
        step = PrepareUnits(inputs.schema, part, modalities, encoders, labels, folder, limits)
        _ = pipeline | "Units" >> beam.Create(todo) | "Spread" >> beam.Reshuffle() | "Prepare" >> beam.ParDo(step)
        run_pipeline(pipeline)
    return read_rows(folder, inputs.units)
