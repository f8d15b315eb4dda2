"""The best reachable scores of the finance scenario, and what policies are worth in it."""

from __future__ import annotations

from typing import Any

from pipelines.scenarios import truth
from pipelines.scenarios.finance import decisions
from pipelines.scenarios.finance.outcomes import DEFAULT_LOGIT, PROFIT, UTILISATION, UTILISATION_NOISE
from pipelines.scenarios.finance.world import GAPS, WORLD
from pipelines.scenarios.outlook import Outlook, Stakes

OUTLOOK = Outlook(WORLD, GAPS, "default", DEFAULT_LOGIT, "utilisation", UTILISATION, UTILISATION_NOISE)


def policy_values(people: truth.Population) -> dict[str, float]:
    """Mean profit per decision, in hundreds of euros, of the logging policy, of better ones, and of constant ones."""
    shown = {m: WORLD.standardized(m, people.views[m]) for m in WORLD.modalities}
    allowed = decisions.allowed_limits(shown, people.present)
    stakes = Stakes(WORLD, people, dict(PROFIT), allowed)
    return {
        "logging_policy": stakes.of(decisions.chances(shown, people.present, allowed)),
        "best_policy": stakes.best(WORLD.modalities),
        "oracle": stakes.oracle(),
        **{f"best_policy_from_{m}": stakes.best([m]) for m in WORLD.modalities},
        **stakes.always(but="raise_large"),
    }


def best(rows: int = truth.POPULATION) -> dict[str, Any]:
    """What truth/best.json holds."""
    drawn = OUTLOOK.drawn(rows)
    return {**OUTLOOK.best(drawn), "profit": policy_values(drawn.people)}
