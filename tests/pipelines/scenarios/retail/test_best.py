"""The best reachable scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.scenarios import truth
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.retail.best import OUTLOOK
from pipelines.scenarios.retail.best import best as best_of
from pipelines.scenarios.retail.outcomes import CHURN_LOGIT
from pipelines.scenarios.retail.world import WORLD


@pytest.fixture(scope="module")
def best() -> dict[str, Any]:
    """What best.json would hold, from fewer rows."""
    return best_of(8_000)


def test_all_together_beat_the_best_single_modality_by_far(best: dict[str, Any]) -> None:
    """At least 0.08 of AUC and 0.15 of R² are there to be won by fusion."""
    assert best["margin"]["churn"]["auc"] > 0.08
    assert best["margin"]["spend"]["r2"] > 0.15


def test_nothing_known_is_chance(best: dict[str, Any]) -> None:
    """Without any modality the AUC is 0.5 and R² is 0."""
    assert best["nothing"]["churn"]["auc"] == 0.5
    assert best["nothing"]["spend"]["r2"] == pytest.approx(0, abs=0.002)


def test_knowing_the_latents_is_better_still(best: dict[str, Any]) -> None:
    """What is hidden would help further."""
    assert best["latents_known"]["churn"]["auc"] > best["all"]["churn"]["auc"]
    assert best["latents_known"]["spend"]["r2"] > best["all"]["spend"]["r2"]


def test_better_policies_earn_more(best: dict[str, Any]) -> None:
    """Oracle above best policy above every constant one; the logging policy leaves something to win."""
    values = best["revenue"]
    assert values["oracle"] > values["best_policy"] > max(v for k, v in values.items() if k.startswith("always"))
    assert values["best_policy"] > values["logging_policy"] + 3


def test_churn_probability_agrees_with_brute_force() -> None:
    """The Bayes predictor equals the mean over a million draws of the model, weighted by the view's likelihood."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((1_000_000, len(WORLD.names)))
    chance = sigmoid(CHURN_LOGIT(hidden))
    shown = {"call": np.array([[1.0, -0.5]]), "visits": np.array([[0.3, 1.2]])}
    weight = np.ones(len(hidden))
    for modality, values in shown.items():
        z = (hidden[:, WORLD.columns(modality)] - values) / WORLD.noises(modality)
        weight *= np.exp(-0.5 * (z**2).sum(axis=1))
    expected = (weight * chance).sum() / weight.sum()
    found = truth.probability(CHURN_LOGIT, WORLD.posterior(shown, ["call", "visits"], 1), rng, draws=20_000)
    assert found[0] == pytest.approx(expected, abs=0.01)


def test_bayes_probabilities_are_calibrated() -> None:
    """Among rows with a predicted probability around p, a share p churned."""
    drawn = OUTLOOK.drawn(20_000, seed=1)
    known = WORLD.posterior(drawn.people.views, WORLD.modalities, 20_000)
    chance = truth.probability(CHURN_LOGIT, known, np.random.default_rng(0))
    for low in (0.1, 0.4, 0.7):
        near = (chance > low) & (chance < low + 0.1)
        error = 4 * 0.5 / np.sqrt(near.sum())
        assert drawn.happened[near].mean() == pytest.approx(chance[near].mean(), abs=error)
