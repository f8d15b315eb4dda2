"""What a batch of rows goes through inside a process, whoever reads it and wherever it goes."""

from __future__ import annotations

from functools import partial, reduce

import pyarrow as pa
import pyarrow.compute as pc

from models.batch import chain
from models.encoders.base import EncoderSpec
from models.errors import ConfigError
from models.ops import EmbedSpec
from models.schema import clean_column, emb_column
from transforms.blame import judge
from transforms.clean import Clean
from transforms.embed import Embed
from transforms.recipe import Recipe
from transforms.trial import MakeWork, Work
from transforms.workers.base import RemoteOp, Workers, WorkersSpec
from transforms.workers.ceiling import NotedCeiling
from transforms.workers.inline import InlineWorkers
from transforms.workers.machine import Machine


class Steps:
    """The cleaners, the workers' handles and the fusion of one process.

    Raises:
        ConfigError: something cannot be built; with its YAML path.
    """

    def __init__(self, recipe: Recipe, workers: Workers) -> None:
        self._recipe = recipe
        self.clean = Clean(recipe.modalities)
        ops = {m: _remote(workers, m, encoder) for m, encoder in recipe.encoders.items()}
        device = "/".join(Machine.here().gpus) or "cpu"
        ceilings = {m: NotedCeiling(encoder.fingerprint(), device) for m, encoder in recipe.encoders.items()}
        self.embed = Embed(ops, ceilings)
        steps = [spec.build() for spec in (recipe.fuse, recipe.score) if spec is not None]
        self.fuse_and_score = chain(*steps) if steps else None

    def rehearse(self, batch: pa.RecordBatch) -> None:
        """All of it, for nothing but to see whether the process survives."""
        modalities = self._recipe.modalities
        cleaned = judge(batch, self.clean).good
        kept = _any_valid(cleaned, [clean_column(m) for m in modalities]) if cleaned is not None else None
        if kept is None or not kept.num_rows:
            return
        embedded = _any_valid(self.embed.submit(kept).result().batch, [emb_column(m) for m in modalities])
        if embedded.num_rows and self.fuse_and_score is not None:
            judge(embedded, self.fuse_and_score)


def _remote(workers: Workers, modality: str, encoder: EncoderSpec) -> RemoteOp:
    try:
        return workers.remote(EmbedSpec(name=modality, encoder=encoder), modality)
    except ConfigError as error:
        raise error.at(f"modalities.{modality}.encoder") from error


def rehearsal(recipe: Recipe, workers: WorkersSpec) -> MakeWork:
    """What kills a process of this run, as work for `transforms.trial`: encoders only where they run inside it."""
    return partial(_everything if workers.address == "inline" else _cleaning, recipe)


def _everything(recipe: Recipe) -> Work:
    return Steps(recipe, InlineWorkers()).rehearse


def _cleaning(recipe: Recipe) -> Work:
    return Clean(recipe.modalities)


def _any_valid(batch: pa.RecordBatch, columns: list[str]) -> pa.RecordBatch:
    """The rows in which at least one of the columns is not null."""
    valid = [batch.column(batch.schema.get_field_index(name)).is_valid() for name in columns]
    return batch.filter(reduce(pc.or_, valid))
