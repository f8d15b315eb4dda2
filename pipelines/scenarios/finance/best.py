"""The best reachable scores of the finance scenario, and what policies are worth in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.scenarios import truth
from pipelines.scenarios.finance import decisions
from pipelines.scenarios.finance.outcomes import (
    DEFAULT_LOGIT,
    LIMITS,
    PROFIT,
    UTILISATION,
    UTILISATION_NOISE,
    profits,
)
from pipelines.scenarios.finance.world import GAPS, WORLD
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.streams import Bools, Floats


@dataclass(frozen=True)
class Firms:
    """Firms, and what became of them."""

    people: truth.Population
    defaulted: Bools
    utilisation: Floats


def firms(rows: int = truth.POPULATION, seed: int = 0) -> Firms:
    """Independent rows of the model that the history's rows follow (each for itself)."""
    rng = truth.population_rng(seed)
    people = truth.draw_population(WORLD, GAPS, rows, rng)
    defaulted = rng.random(rows) < sigmoid(DEFAULT_LOGIT(people.latents))
    return Firms(people, defaulted, UTILISATION(people.latents) + UTILISATION_NOISE * rng.standard_normal(rows))


def scores(drawn: Firms, modalities: Sequence[str], seed: int = 0) -> truth.Scores:
    """Scores of the Bayes predictors of default and utilisation that see these modalities where they are present."""
    rng = truth.population_rng(seed, 1)
    chance, use = np.empty(len(drawn.utilisation)), np.empty(len(drawn.utilisation))
    for rows, known in truth.posteriors(WORLD, drawn.people, modalities):
        chance[rows] = truth.probability(DEFAULT_LOGIT, known, rng)
        use[rows] = UTILISATION.expected(known)
    return _scored(drawn, chance, use)


def _scored(drawn: Firms, chance: Floats, use: Floats) -> truth.Scores:
    return {
        "default": truth.binary_scores(drawn.defaulted, chance),
        "utilisation": truth.regression_scores(drawn.utilisation, use),
    }


def policy_values(people: truth.Population) -> dict[str, float]:
    """Mean profit per decision, in hundreds of euros, of the logging policy, of better ones, and of constant ones."""
    shown = {m: WORLD.standardized(m, people.views[m]) for m in WORLD.modalities}
    allowed, profit = decisions.allowed_limits(shown, people.present), profits(people.latents)
    always = {f"always_{name}": float(value) for name, value in zip(LIMITS, profit.mean(axis=0), strict=True)}
    return {
        "logging_policy": float((decisions.chances(shown, people.present, allowed) * profit).sum(axis=1).mean()),
        "best_policy": _best_value(people, allowed, WORLD.modalities),
        "oracle": float(np.where(allowed, profit, -np.inf).max(axis=1).mean()),
        **{f"best_policy_from_{m}": _best_value(people, allowed, [m]) for m in WORLD.modalities},
        **{name: value for name, value in always.items() if name != "always_raise_large"},  # not allowed everywhere
    }


def _best_value(people: truth.Population, allowed: Bools, modalities: Sequence[str]) -> float:
    """Of the best policy that sees these modalities, and what is allowed."""
    expected = np.empty(allowed.shape)
    for rows, known in truth.posteriors(WORLD, people, modalities):
        expected[rows] = np.stack([PROFIT[limit].expected(known) for limit in LIMITS], axis=1)
    best = np.where(allowed, expected, -np.inf).argmax(axis=1)
    return float(np.take_along_axis(profits(people.latents), best[:, None], axis=1).mean())


def best(rows: int = truth.POPULATION) -> dict[str, Any]:
    """What truth/best.json holds."""
    drawn = firms(rows)
    latents = drawn.people.latents
    main = {"default": "auc", "utilisation": "r2"}
    return {
        "rows": rows,
        **truth.compared(WORLD.modalities, lambda known: scores(drawn, known), main),
        "latents_known": _scored(drawn, sigmoid(DEFAULT_LOGIT(latents)), UTILISATION(latents)),
        "profit": policy_values(drawn.people),
    }
