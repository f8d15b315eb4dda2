"""What is lost where a modality is absent: the model that knows it otherwise, beside one that never had it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from models.evaluate.metrics import METRICS, headline
from models.learn.data import Examples
from models.learn.fitting import Fitted
from pipelines.evaluate import load_fitted
from pipelines.history import plan_embedding, read_split
from pipelines.job import Job


class Absence(NamedTuple):
    """A head's headline metric on held-out rows without one modality."""

    head: str
    modality: str
    metric: str
    masked: float
    """Of the shipped model, with the modality taken away."""
    never_had: float
    """Of a model that was trained without it, on the same rows."""

    @property
    def lost(self) -> float:
        """By how much the shipped model is worse."""
        return self.never_had - self.masked


def absences(job: Job) -> list[Absence]:
    """Every modality taken away from every head with labels, in turn."""
    work = plan_embedding(job)
    split, fitted = read_split(job, work), load_fitted(job, work.recipe.modalities)
    learner, found = job.need_training("evaluate").learner.build(), []
    for modality in split.train.inputs:
        train, validation, held_out = (without(p, modality) for p in (split.train, split.validation, split.held_out))
        other = learner.fit(job.fusion, dict(fitted.head_specs), train, validation)
        found += _compared(modality, fitted, other, masked(split.held_out, modality), held_out)
    return found


def _compared(modality: str, fitted: Fitted, other: Fitted, mine: Examples, theirs: Examples) -> list[Absence]:
    scores, others, found = fitted.scores(mine), other.scores(theirs), []
    for head, spec in fitted.head_specs.items():
        y = spec.targets(mine.labels[spec.label]).astype(np.float64)
        known, name = ~np.isnan(y), headline(spec.task)
        metric = METRICS[spec.task][name]
        values = [metric(y[known], scored[head].double().numpy()[known]) for scored in (scores, others)]
        found.append(Absence(head, modality, name, *values))
    return found


def masked(examples: Examples, modality: str) -> Examples:
    """The rows that have others, with this one's mask False."""
    mask = examples.mask.clone()
    mask[:, list(examples.inputs).index(modality)] = False
    rest = Examples(examples.inputs, examples.x, mask, examples.labels, examples.groups)
    return rest.take(rest.present())


def without(examples: Examples, modality: str) -> Examples:
    """The same rows, as if this modality did not exist."""
    kept = torch.tensor([index for index, name in enumerate(examples.inputs) if name != modality])
    inputs = {name: width for name, width in examples.inputs.items() if name != modality}
    width = max(inputs.values())
    x, mask = examples.x[:, kept, :width].contiguous(), examples.mask[:, kept]
    rest = Examples(inputs, x, mask, examples.labels, examples.groups)
    return rest.take(rest.present())
