"""The nightly job: units, repeated keys, process, publish."""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam

from transforms.keys import find_repeated_keys
from transforms.process import Notes
from transforms.process_units import ProcessUnits
from transforms.recall.spec import RecallSpec
from transforms.recipe import Recipe
from transforms.sinks.base import SinkSpec
from transforms.units import InputPlan, Unit
from transforms.workers.base import WorkersSpec


def night(
    pipeline: beam.Pipeline,
    inputs: InputPlan,
    todo: Sequence[Unit],
    recipe: Recipe,
    sink: SinkSpec,
    workers: WorkersSpec,
    notes: Notes,
    recall: RecallSpec | None = None,
) -> beam.PCollection:
    """The graph of a night; gives the id of every unit that it finished.

    Publishing follows in the driver (`pipelines.run`), once every unit is done: it must be the holder of the lease
    that checks the ledger against storage and takes the one atomic step.

    Args:
        pipeline: where the graph is added.
        inputs: all units of the date: a key may be repeated in a unit that was finished by an earlier attempt.
        todo: the units that are not finished yet.
        recipe: what becomes of a row.
        sink: where parts go.
        workers: where encoders run.
        notes: folders for failure notes and diaries.
        recall: where embeddings are known from; None: from nowhere.
    """
    units = pipeline | "To do" >> beam.Create([(unit.id, unit) for unit in todo])
    if not recipe.unique_keys:
        repeated = pipeline | "No repeats" >> beam.Create([])
    else:
        every = pipeline | "Every unit" >> beam.Create(inputs.units) | "Spread" >> beam.Reshuffle()
        repeated = find_repeated_keys(every, recipe.schema, recipe.key, inputs.rows)
    return (
        {"unit": units, "repeated": repeated}
        | "Units with their repeats" >> beam.CoGroupByKey()
        | "Process" >> beam.ParDo(ProcessUnits(recipe, sink, workers, notes, recall))
    )
