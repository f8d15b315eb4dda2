"""The best reachable scores of the retail scenario, and what policies are worth in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.scenarios import truth
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.retail import offers
from pipelines.scenarios.retail.outcomes import CHURN_LOGIT, OFFERS, REVENUE, SPEND, SPEND_NOISE, revenues
from pipelines.scenarios.retail.world import GAPS, WORLD
from pipelines.scenarios.streams import Bools, Floats


@dataclass(frozen=True)
class Customers:
    """Customers, and what became of them."""

    people: truth.Population
    churned: Bools
    spend: Floats


def customers(rows: int = truth.POPULATION, seed: int = 0) -> Customers:
    """Independent rows of the model that the history's rows follow (each for itself)."""
    rng = truth.population_rng(seed)
    people = truth.draw_population(WORLD, GAPS, rows, rng)
    churned = rng.random(rows) < sigmoid(CHURN_LOGIT(people.latents))
    return Customers(people, churned, SPEND(people.latents) + SPEND_NOISE * rng.standard_normal(rows))


def scores(drawn: Customers, modalities: Sequence[str], seed: int = 0) -> truth.Scores:
    """Scores of the Bayes predictors of churn and spend that see these modalities where they are present."""
    rng = truth.population_rng(seed, 1)
    chance, spend = np.empty(len(drawn.spend)), np.empty(len(drawn.spend))
    for rows, known in truth.posteriors(WORLD, drawn.people, modalities):
        chance[rows] = truth.probability(CHURN_LOGIT, known, rng)
        spend[rows] = SPEND.expected(known)
    return _scored(drawn, chance, spend)


def _scored(drawn: Customers, chance: Floats, spend: Floats) -> truth.Scores:
    return {
        "churn": truth.binary_scores(drawn.churned, chance),
        "spend": truth.regression_scores(drawn.spend, spend),
    }


def policy_values(people: truth.Population) -> dict[str, float]:
    """Mean revenue per decision, in euros, of the logging policy and of better ones."""
    shown = {m: WORLD.standardized(m, people.views[m]) for m in WORLD.modalities}
    allowed = offers.allowed_offers(shown, people.present)
    revenue = revenues(people.latents)
    expected = np.empty_like(revenue)
    for rows, known in truth.posteriors(WORLD, people, WORLD.modalities):
        expected[rows] = np.stack([REVENUE[o].expected(known) for o in OFFERS], axis=1)
    best = np.where(allowed, expected, -np.inf).argmax(axis=1)
    always = {f"always_{o}": float(v) for o, v in zip(OFFERS, revenue.mean(axis=0), strict=True)}
    return {
        "logging_policy": float((offers.chances(shown, people.present, allowed) * revenue).sum(axis=1).mean()),
        "best_policy": float(np.take_along_axis(revenue, best[:, None], axis=1).mean()),
        "oracle": float(np.where(allowed, revenue, -np.inf).max(axis=1).mean()),
        **{name: value for name, value in always.items() if name != "always_upgrade"},  # not allowed to everybody
    }


def best(rows: int = truth.POPULATION) -> dict[str, Any]:
    """What truth/best.json holds."""
    drawn = customers(rows)
    latents = drawn.people.latents
    return {
        "rows": rows,
        **truth.compared(WORLD.modalities, lambda known: scores(drawn, known), {"churn": "auc", "spend": "r2"}),
        "latents_known": _scored(drawn, sigmoid(CHURN_LOGIT(latents)), SPEND(latents)),
        "revenue": policy_values(drawn.people),
    }
