"""The best reachable scores, and what policies are worth."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from pipelines.scenarios.education import best, courses, planning, pupils
from pipelines.scenarios.education.beliefs import believed
from pipelines.scenarios.education.courses import STATES
from pipelines.scenarios.education.outcomes import MASTERED_LOGIT, NEXT_SCORE
from pipelines.scenarios.education.world import LAYOUT, WORLD
from pipelines.scenarios.layout import partitions
from pipelines.scenarios.quadratic import sigmoid

HEADS = (("mastered", "auc"), ("next_score", "r2"))


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What best.json would hold, from fewer rows."""
    return best.best(8_000)


def test_all_together_beat_the_best_single_modality_by_far(found: dict[str, Any]) -> None:
    """At least 0.13 of AUC and 0.4 of R² are there to be won by fusion."""
    assert found["margin"]["mastered"]["auc"] > 0.13
    assert found["margin"]["next_score"]["r2"] > 0.4


def test_every_modality_tells_something(found: dict[str, Any]) -> None:
    """Each alone is worth 0.1 of AUC and 0.1 of R² at least."""
    for (head, metric), nothing in zip(HEADS, (0.5, 0.0), strict=True):
        assert min(found["single"][m][head][metric] for m in WORLD.modalities) > nothing + 0.1


def test_nothing_known_is_chance_and_everything_known_is_better_still(found: dict[str, Any]) -> None:
    """Without any modality AUC is 0.5 and R² is 0; what is hidden would help further."""
    assert found["nothing"]["mastered"]["auc"] == 0.5
    assert found["nothing"]["next_score"]["r2"] == pytest.approx(0, abs=0.005)
    for head, metric in HEADS:
        assert found["latents_known"][head][metric] > found["all"][head][metric]


def test_better_policies_gain_more(found: dict[str, Any]) -> None:
    """The best policy is close to the oracle; the others, short-sighted or of one modality, are far below."""
    values = found["gain"]
    assert values["oracle"] > values["best_policy"] > 0.95 * values["oracle"]
    assert values["best_policy"] > values["short_sighted"] + 10
    assert values["best_policy"] > values["logging_policy"] + 10
    assert values["logging_policy"] > values["uniform"] + 5
    assert max(values["best_policy_of_one_modality"].values()) < 0.6 * values["best_policy"]


def test_the_oracles_value_is_that_of_the_plan(found: dict[str, Any]) -> None:
    """Following pupils gives what dynamic programming computed, within four standard errors (about 0.2 each)."""
    computed = best.start_shares() @ planning.best_of(planning.optimal())
    assert found["gain"]["oracle"] == pytest.approx(computed, abs=0.8)


def test_the_class_is_drawn_like_the_history() -> None:
    """Levels and states have the same shares in both, within four standard errors of the smaller."""
    who = LAYOUT.rows(0, partitions(1, 2_700, 1)[0], np.arange(2_700))
    history = pupils.history(0, who).pupils.state
    drawn = best.draw_class(20_000).sight.state
    for column, level in product(range(4), range(2)):
        shares = [(np.array(STATES)[states][:, column] == level).mean() for states in (history, drawn)]
        # rows of a term are not independent: counted as 600 places
        assert shares[0] == pytest.approx(shares[1], abs=4 * np.sqrt(shares[1] * (1 - shares[1]) / 600))
    counted = [np.bincount(states, minlength=16) / len(states) for states in (history, drawn)]
    np.testing.assert_allclose(counted[0], counted[1], atol=0.05)


def test_beliefs_agree_with_brute_force() -> None:
    """The belief equals the mean over 400,000 draws of the model, weighted by the views' likelihood."""
    rng = np.random.default_rng(0)
    state = courses.start(rng.random((400_000, 4)))
    hidden = best.latents(state, rng)
    shown = {"answer": np.array([[0.4, -0.5]]), "grades": np.array([[0.9, 0.2, -0.3]])}
    weight = np.ones(len(hidden))
    for modality, view in shown.items():
        scaled = view * np.sqrt(1 + WORLD.noises(modality) ** 2)
        z = (hidden[:, WORLD.columns(modality)] - scaled) / WORLD.noises(modality)
        weight *= np.exp(-0.5 * (z**2).sum(axis=1))
    present = dict.fromkeys(shown, np.ones(1, bool))
    known = believed(shown, present, list(shown), best.start_shares())
    expected = (weight[:, None] * hidden).sum(axis=0) / weight.sum()
    np.testing.assert_allclose(known.mean[0], expected, atol=0.03)
    score = (weight * NEXT_SCORE(hidden)).sum() / weight.sum()
    assert NEXT_SCORE(known.mean)[0] == pytest.approx(score, abs=0.4)
    chance = (weight * sigmoid(MASTERED_LOGIT(hidden))).sum() / weight.sum()
    assert best.mastered_chance(known, rng, draws=4_000)[0] == pytest.approx(chance, abs=0.01)


def test_what_is_absent_tells_nothing() -> None:
    """Views of an absent modality change no belief."""
    prior = best.start_shares()
    absent = {"answer": np.zeros(1, bool)}
    known = believed({"answer": np.array([[3.0, 3.0]])}, absent, ["answer"], prior)
    np.testing.assert_allclose(known.state[0], prior)
    assert known.mean[0, WORLD.names.index("care")] == 0
    assert known.deviation[0, WORLD.names.index("care")] == 1
