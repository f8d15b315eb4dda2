"""A trained decision head, asked about records as a night would ask it: cleaned, encoded, fused, decided."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import torch

from models.arrow import Bool, Float32
from models.artifacts import load
from models.heads.base import DecisionHead, DecisionHeadSpec
from models.learn.data import embedding_of
from models.ops import EmbedSpec
from pipelines.fit import plan_history
from pipelines.job import Job
from pipelines.recipes import embedding_recipe, policy_places
from pipelines.scenarios.streams import Floats
from transforms.clean import Clean


class TrainedPolicy:
    """A policy of records (`simulate.Policy`), whatever became of it: published, or not good enough to be."""

    def __init__(self, job: Job, head: str, actions: tuple[str, ...]) -> None:
        """Load cleaners, encoders and the head.

        Args:
            job: trained.
            head: a decision head.
            actions: of the scenario, in its order.
        """
        recipe = embedding_recipe(job, plan_history(job).schema, ())
        self._clean = Clean(recipe.modalities)
        self._encode = [EmbedSpec(name=name, encoder=encoder).build() for name, encoder in recipe.encoders.items()]
        self._inputs = {name: encoder.output_dim for name, encoder in recipe.encoders.items()}
        places = policy_places(job, head)
        loaded = load(_trained_last(places.candidate, places.published))
        self._spec = cast(DecisionHeadSpec, loaded.config.spec)
        self._module = cast(DecisionHead, loaded.module)
        self._order = [self._spec.actions.index(action) for action in actions]

    def __call__(self, records: pa.RecordBatch) -> Floats:
        """`[n, A]` probabilities of the scenario's actions."""
        batch = self._clean(records)
        for encode in self._encode:
            batch = encode(batch)
        x, mask = self._inputs_of(batch)
        with torch.inference_mode():
            outputs = self._module(torch.from_numpy(x), torch.from_numpy(mask)).numpy()
        allowed = self._spec.allowed_mask(records["allowed"], records.num_rows)
        chances: Floats = self._spec.policy(outputs[:, : len(self._spec.actions)], allowed)[:, self._order]
        return chances

    def _inputs_of(self, batch: pa.RecordBatch) -> tuple[Float32, Bool]:
        shape = (batch.num_rows, len(self._inputs), max(self._inputs.values()))
        x, mask = np.zeros(shape, np.float32), np.zeros(shape[:2], np.bool_)
        for index, (name, width) in enumerate(self._inputs.items()):
            present, vectors = embedding_of(batch, name, width)
            x[present, index, :width] = vectors
            mask[present, index] = True
        return x, mask


def _trained_last(candidate: Path, published: Path) -> Path:
    return candidate if candidate.exists() else published
