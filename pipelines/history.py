"""The labelled history, embedded as a night would embed it: what fusion and heads learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.learn.data import Examples, Split, read_examples, split_by_group
from models.learn.split import Parts
from pipelines import recipes
from pipelines.encoders import learned_encoders
from pipelines.execute import Outcome, Work, execute, plan_work
from pipelines.fit import plan_history
from pipelines.job import Job
from pipelines.run import details_of
from transforms.ledger import Ledger
from transforms.sinks.parquet import ParquetSinkSpec

PARTITION = "history"
VALIDATION = 0.15  # share of the training groups on which training is stopped and calibrated


def plan_embedding(job: Job) -> Work:
    """The work of embedding the history, into `<artifacts>/history`, with labels and groups passed through."""
    inputs = plan_history(job)
    training = job.need_training("train")
    keep = tuple(c for c in dict.fromkeys([*job.head_columns(), training.split.by]) if c != job.input.key)
    recipe = recipes.embedding_recipe(job, inputs.schema, keep)
    sink = ParquetSinkSpec(path=str(job.artifacts / "history"), keep=keep)
    return plan_work(job, recipes.HISTORY, PARTITION, inputs, recipe, sink)


def embed_history(job: Job, beam_args: Sequence[str]) -> tuple[Work, Outcome]:
    """Embed the history, or find that exactly this was done before."""
    work = plan_embedding(job)
    return work, execute(work, beam_args, details=details_of(work), accept=_anything)


def sources_of(work: Work) -> dict[str, str]:
    """Modality -> fingerprint of what makes the embeddings of this work."""
    return recipes.embedding_sources(work.recipe.modalities, work.recipe.encoders)


def read_split(job: Job, work: Work) -> Split:
    """The embedded history as training, validation and held-out rows, apart by group."""
    training = job.need_training("train")
    split = training.split
    widths = {name: m.encoder.output_dim for name, m in job.modalities.items()}
    examples: Examples = read_examples(work.features, widths, job.head_columns(), split.by)
    examples = examples.take(np.flatnonzero(~parts(job).encoders(examples.groups)))
    return split_by_group(examples, split.held_out, VALIDATION, split.seed)


def parts(job: Job) -> Parts:
    """How the history's groups are shared out, between encoders too where some learn."""
    training = job.need_training("train")
    split = training.split
    return Parts(split.held_out, VALIDATION, split.seed, training.encoders.share if learned_encoders(job) else 0.0)


def _anything(_ledger: Ledger) -> None:
    """History is learned from whatever share of it is usable; what was left out stands in its ledger."""
