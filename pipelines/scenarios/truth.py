"""The best reachable scores: of predictors that know exactly what the modalities show, and not a bit more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from pipelines.scenarios import decisions, outcomes
from pipelines.scenarios.gaps import ABSENT, present_where
from pipelines.scenarios.latents import LATENTS, VIEWS, Posterior, columns, noises, posterior, standardized
from pipelines.scenarios.metrics import auc, log_likelihood, mae, r2
from pipelines.scenarios.profile import is_starter
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, generator

POPULATION = 20_000  # customers drawn: standard error of an AUC below 0.003, of an R² below 0.006
DRAWS = 128  # antithetic draws from a posterior: the error of a probability adds less than 0.0005 to the AUC's


@dataclass(frozen=True)
class Population:
    """Rows of the generative model, without the rendering."""

    latents: Floats
    """`[n, 7]`"""
    views: Mapping[str, Floats]
    """Modality -> `[n, k]`"""
    present: Mapping[str, Bools]
    """Modality -> `[n]`"""
    churned: Bools
    spend: Floats


def draw_population(rows: int = POPULATION, seed: int = 0) -> Population:
    """Independent rows of the model that the history's rows follow (each for itself)."""
    rng = generator(seed, Stream.POPULATION)
    latents = rng.standard_normal((rows, len(LATENTS)))
    views = {m: latents[:, columns(m)] + noises(m) * rng.standard_normal((rows, len(VIEWS[m]))) for m in VIEWS}
    churned = rng.random(rows) < outcomes.sigmoid(outcomes.CHURN_LOGIT(latents))
    spend = outcomes.SPEND(latents) + outcomes.SPEND_NOISE * rng.standard_normal(rows)
    return Population(latents, views, present_where(rng.random((rows, len(ABSENT)))), churned, spend)


def patterns(people: Population, modalities: Sequence[str]) -> Iterator[tuple[Ints, Posterior]]:
    """(row numbers, posterior of the latents) for every pattern in which these modalities are present."""
    for wanted in product([False, True], repeat=len(modalities)):
        matches = np.ones(len(people.latents), dtype=np.bool_)
        for modality, is_there in zip(modalities, wanted, strict=True):
            matches &= people.present[modality] == is_there
        rows = np.flatnonzero(matches)
        known = [m for m, w in zip(modalities, wanted, strict=True) if w]
        if len(rows):
            yield rows, posterior({m: people.views[m][rows] for m in known}, known, len(rows))


def churn_probability(known: Posterior, rng: np.random.Generator, draws: int = DRAWS) -> Floats:
    """E[sigmoid(logit(z))] `[n]` under the posterior, by antithetic Monte Carlo."""
    half = rng.standard_normal((draws // 2, len(LATENTS))) @ np.linalg.cholesky(known.covariance).T
    total = np.zeros(len(known.mean))
    for offset in np.concatenate([half, -half]):
        total += outcomes.sigmoid(outcomes.CHURN_LOGIT(known.mean + offset))
    return total / (2 * len(half))


def scores(people: Population, modalities: Sequence[str], seed: int = 0) -> dict[str, dict[str, float]]:
    """Scores of the Bayes predictors of churn and spend that see these modalities where they are present."""
    rng = generator(seed, Stream.POPULATION, 1)
    chance, spend = np.empty(len(people.latents)), np.empty(len(people.latents))
    for rows, known in patterns(people, modalities):
        chance[rows] = churn_probability(known, rng)
        spend[rows] = outcomes.SPEND.expected(known)
    return {
        "churn": {
            "auc": auc(people.churned, chance),
            "log_likelihood": log_likelihood(people.churned, chance),
        },
        "spend": {"r2": r2(people.spend, spend), "mae": mae(people.spend, spend)},
    }


def policy_values(people: Population) -> dict[str, float]:
    """Mean revenue per decision, in euros, of the logging policy and of better ones."""
    seen = np.concatenate(
        [standardized(m, people.views[m]) * people.present[m][:, None] for m in decisions.SEES], axis=1
    )
    wealth = standardized("profile", people.views["profile"])[:, 0]
    allowed = decisions.allowed_offers(is_starter(wealth) & people.present["profile"])
    revenue = outcomes.revenues(people.latents)
    expected = np.empty_like(revenue)
    for rows, known in patterns(people, list(VIEWS)):
        expected[rows] = np.stack([outcomes.REVENUE[o].expected(known) for o in outcomes.OFFERS], axis=1)
    best = np.where(allowed, expected, -np.inf).argmax(axis=1)
    always = {f"always_{o}": float(v) for o, v in zip(outcomes.OFFERS, revenue.mean(axis=0), strict=True)}
    return {
        "logging_policy": float((decisions.probabilities(seen, allowed) * revenue).sum(axis=1).mean()),
        "best_policy": float(np.take_along_axis(revenue, best[:, None], axis=1).mean()),
        "oracle": float(np.where(allowed, revenue, -np.inf).max(axis=1).mean()),
        **{name: value for name, value in always.items() if name != "always_upgrade"},  # not allowed to everybody
    }


def best(rows: int = POPULATION) -> dict[str, Any]:
    """What truth/best.json holds: a property of the scenario, so it does not depend on the data set's seed."""
    people = draw_population(rows)
    single = {modality: scores(people, [modality]) for modality in VIEWS}
    fused = scores(people, list(VIEWS))
    top_churn = max(single, key=lambda m: single[m]["churn"]["auc"])
    top_spend = max(single, key=lambda m: single[m]["spend"]["r2"])
    return {
        "rows": rows,
        "all": fused,
        "single": single,
        "nothing": scores(people, []),
        "margin": {
            "churn": {
                "best_single": top_churn,
                "auc": fused["churn"]["auc"] - single[top_churn]["churn"]["auc"],
            },
            "spend": {
                "best_single": top_spend,
                "r2": fused["spend"]["r2"] - single[top_spend]["spend"]["r2"],
            },
        },
        "latents_known": _known_latents(people),
        "revenue": policy_values(people),
    }


def _known_latents(people: Population) -> dict[str, dict[str, float]]:
    chance, spend = outcomes.sigmoid(outcomes.CHURN_LOGIT(people.latents)), outcomes.SPEND(people.latents)
    return {
        "churn": {
            "auc": auc(people.churned, chance),
            "log_likelihood": log_likelihood(people.churned, chance),
        },
        "spend": {"r2": r2(people.spend, spend), "mae": mae(people.spend, spend)},
    }
