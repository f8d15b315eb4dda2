"""The best reachable scores: of predictors that know exactly what the modalities show, and not a bit more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from pipelines.scenarios import metrics
from pipelines.scenarios.gaps import Gaps
from pipelines.scenarios.quadratic import Quadratic, sigmoid
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, generator
from pipelines.scenarios.world import Posterior, World

POPULATION = 20_000  # rows drawn: standard error of an AUC below 0.003, of an R² below 0.006
DRAWS = 128  # antithetic draws from a posterior: the error of a probability adds less than 0.0005 to the AUC's

Scores: TypeAlias = dict[str, dict[str, float]]
"""Head -> metric -> value."""


@dataclass(frozen=True)
class Population:
    """Rows of the generative model, without the rendering."""

    latents: Floats
    """`[n, L]`"""
    views: Mapping[str, Floats]
    """Modality -> `[n, k]`, not standardized."""
    present: Mapping[str, Bools]
    """Modality -> `[n]`"""


def draw_population(world: World, gaps: Gaps, rows: int, rng: np.random.Generator) -> Population:
    """Independent rows of the model that the history's rows follow (each for itself)."""
    latents = rng.standard_normal((rows, len(world.names)))
    views = {m: world.shown(m, latents, rng.standard_normal((rows, len(world.views[m])))) for m in world.modalities}
    return Population(latents, views, gaps.present_where(rng.random((rows, len(gaps.absent)))))


def population_rng(seed: int, number: int = 0) -> np.random.Generator:
    """The generator of a population, or (other numbers) of what is computed about it."""
    return generator(seed, Stream.POPULATION, number)


def patterns(people: Population, modalities: Sequence[str]) -> Iterator[tuple[Ints, list[str], dict[str, Floats]]]:
    """(row numbers, modalities that are present, their views) for every pattern of presence of these modalities."""
    for wanted in product([False, True], repeat=len(modalities)):
        matches = np.ones(len(people.latents), dtype=np.bool_)
        for modality, is_there in zip(modalities, wanted, strict=True):
            matches &= people.present[modality] == is_there
        rows = np.flatnonzero(matches)
        known = [m for m, w in zip(modalities, wanted, strict=True) if w]
        if len(rows):
            yield rows, known, {m: people.views[m][rows] for m in known}


def posteriors(world: World, people: Population, modalities: Sequence[str]) -> Iterator[tuple[Ints, Posterior]]:
    """(row numbers, posterior of the latents) for every pattern in which these modalities are present."""
    for rows, known, views in patterns(people, modalities):
        yield rows, world.posterior(views, known, len(rows))


def probability(logit: Quadratic, known: Posterior, rng: np.random.Generator, draws: int = DRAWS) -> Floats:
    """E[sigmoid(logit(z))] `[n]` under the posterior, by antithetic Monte Carlo."""
    half = rng.standard_normal((draws // 2, known.mean.shape[1])) @ np.linalg.cholesky(known.covariance).T
    total = np.zeros(len(known.mean))
    for offset in np.concatenate([half, -half]):
        total += sigmoid(logit(known.mean + offset))
    return total / (2 * len(half))


def binary_scores(label: Bools, chance: Floats) -> dict[str, float]:
    """Scores of a probability `[n]` of a label `[n]`."""
    return {"auc": metrics.auc(label, chance), "log_likelihood": metrics.log_likelihood(label, chance)}


def regression_scores(target: Floats, expected: Floats) -> dict[str, float]:
    """Scores of a prediction `[n]` of a number `[n]`."""
    return {"r2": metrics.r2(target, expected), "mae": metrics.mae(target, expected)}


def compared(
    modalities: Sequence[str], scores: Callable[[Sequence[str]], Scores], main: Mapping[str, str]
) -> dict[str, Any]:
    """Scores with all modalities (where present), with each alone, with none, and by how much fusion wins.

    Args:
        modalities: of the world.
        scores: of the best predictors that see these modalities where they are present.
        main: head -> the metric by which it is compared (more is better).
    """
    fused, single = scores(modalities), {modality: scores([modality]) for modality in modalities}
    tops = {head: max(single, key=lambda m: single[m][head][metric]) for head, metric in main.items()}
    margins = {
        head: {"best_single": tops[head], metric: fused[head][metric] - single[tops[head]][head][metric]}
        for head, metric in main.items()
    }
    return {"all": fused, "single": single, "nothing": scores([]), "margin": margins}
