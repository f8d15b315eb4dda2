"""The best reachable scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.scenarios import truth
from pipelines.scenarios.finance import best, outcomes
from pipelines.scenarios.finance.world import WORLD
from pipelines.scenarios.quadratic import sigmoid

HEADS = (("default", "auc"), ("utilisation", "r2"))


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What best.json would hold, from fewer rows."""
    return best.best(8_000)


def test_all_together_beat_the_best_single_modality_by_far(found: dict[str, Any]) -> None:
    """At least 0.12 of AUC and 0.35 of R² are there to be won by fusion."""
    assert found["margin"]["default"]["auc"] > 0.12
    assert found["margin"]["utilisation"]["r2"] > 0.35


def test_every_modality_tells_something(found: dict[str, Any]) -> None:
    """Each alone is worth 0.17 of AUC and 0.2 of R² at least, and none more than twice as much as another."""
    for (head, metric), least, nothing in zip(HEADS, (0.17, 0.2), (0.5, 0.0), strict=True):
        gains = [found["single"][m][head][metric] - nothing for m in WORLD.modalities]
        assert min(gains) > least
        assert max(gains) < 2 * min(gains)


def test_nothing_known_is_chance_and_everything_known_is_better_still(found: dict[str, Any]) -> None:
    """Without any modality AUC is 0.5 and R² is 0; what is hidden would help further."""
    assert found["nothing"]["default"]["auc"] == 0.5
    assert found["nothing"]["utilisation"]["r2"] == pytest.approx(0, abs=0.002)
    for head, metric in HEADS:
        assert found["latents_known"][head][metric] > found["all"][head][metric]


def test_better_policies_earn_more(found: dict[str, Any]) -> None:
    """Oracle above the best policy above those from one modality above constant ones; logging leaves much to win."""
    values = found["profit"]
    single = [value for name, value in values.items() if name.startswith("best_policy_from_")]
    constant = [value for name, value in values.items() if name.startswith("always_")]
    assert values["oracle"] > values["best_policy"] > max(single) + 1.5
    assert min(single) > max(constant)
    assert values["best_policy"] > values["logging_policy"] + 4


def test_default_probability_agrees_with_brute_force() -> None:
    """The Bayes predictor equals the mean over a million draws of the model, weighted by the view's likelihood."""
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((1_000_000, len(WORLD.names)))
    chance = sigmoid(outcomes.DEFAULT_LOGIT(hidden))
    shown = {"call": np.array([[1.0, -0.5]]), "transactions": np.array([[0.3, 1.2]])}
    weight = np.ones(len(hidden))
    for modality, values in shown.items():
        z = (hidden[:, WORLD.columns(modality)] - values) / WORLD.noises(modality)
        weight *= np.exp(-0.5 * (z**2).sum(axis=1))
    expected = (weight * chance).sum() / weight.sum()
    known = WORLD.posterior(shown, list(shown), 1)
    assert truth.probability(outcomes.DEFAULT_LOGIT, known, rng, draws=20_000)[0] == pytest.approx(expected, abs=0.01)


def test_expected_profits_are_right() -> None:
    """Where all modalities are there, what the best policy expects to earn is what it earns, within its error."""
    people = best.OUTLOOK.drawn(20_000, seed=1).people
    everything = {m: people.views[m] for m in WORLD.modalities}
    known = WORLD.posterior(everything, WORLD.modalities, 20_000)
    expected = np.stack([outcomes.PROFIT[limit].expected(known) for limit in outcomes.LIMITS], axis=1)
    taken = expected.argmax(axis=1)[:, None]
    residual = np.take_along_axis(outcomes.profits(people.latents) - expected, taken, axis=1)
    assert residual.mean() == pytest.approx(0, abs=4 * residual.std() / np.sqrt(20_000))


def test_every_decision_is_the_best_one_for_some() -> None:
    """No decision on the limit is best everywhere, and none never: each is for at least one firm in ten."""
    latents = best.OUTLOOK.drawn(8_000).people.latents
    shares = np.bincount(outcomes.profits(latents).argmax(axis=1), minlength=4) / 8_000
    assert shares.min() > 0.1
