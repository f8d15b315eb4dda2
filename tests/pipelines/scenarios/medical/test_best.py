"""The best reachable scores."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.scenarios.medical.best import best as best_of


@pytest.fixture(scope="module")
def best() -> dict[str, Any]:
    """What best.json would hold, from fewer patients."""
    return best_of(3_000)


def test_all_together_beat_the_best_single_modality_by_far(best: dict[str, Any]) -> None:
    """At least 0.2 of accuracy are there to be won by fusion."""
    single = max(scores["diagnosis"]["accuracy"] for scores in best["single"].values())
    assert best["all"]["diagnosis"]["accuracy"] > single + 0.2


def test_nothing_known_is_the_prior(best: dict[str, Any]) -> None:
    """Then the commonest diagnosis is the guess: 30 % have it, of one in four classes."""
    assert best["nothing"]["diagnosis"]["accuracy"] == pytest.approx(0.3, abs=0.04)  # rows of a patient are alike
    assert best["nothing"]["diagnosis"]["balanced_accuracy"] == 0.25


def test_better_policies_bring_more(best: dict[str, Any]) -> None:
    """Knowing beats the best policy, which beats treating at once, which beats the log."""
    values = best["reward"]
    assert values["oracle"] > values["best_policy"] > values["treat_at_once"] > values["logging_policy"] + 4
