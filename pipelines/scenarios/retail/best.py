"""The best reachable scores of the retail scenario, and what policies are worth in it."""

from __future__ import annotations

from typing import Any

from pipelines.scenarios import truth
from pipelines.scenarios.outlook import Outlook, Stakes
from pipelines.scenarios.retail import offers
from pipelines.scenarios.retail.outcomes import CHURN_LOGIT, REVENUE, SPEND, SPEND_NOISE
from pipelines.scenarios.retail.world import GAPS, WORLD

OUTLOOK = Outlook(WORLD, GAPS, "churn", CHURN_LOGIT, "spend", SPEND, SPEND_NOISE)


def policy_values(people: truth.Population) -> dict[str, float]:
    """Mean revenue per decision, in euros, of the logging policy and of better ones."""
    shown = {m: WORLD.standardized(m, people.views[m]) for m in WORLD.modalities}
    allowed = offers.allowed_offers(shown, people.present)
    stakes = Stakes(WORLD, people, dict(REVENUE), allowed)
    return {
        "logging_policy": stakes.of(offers.chances(shown, people.present, allowed)),
        "best_policy": stakes.best(WORLD.modalities),
        "oracle": stakes.oracle(),
        **stakes.always(but="upgrade"),
    }


def best(rows: int = truth.POPULATION) -> dict[str, Any]:
    """What truth/best.json holds."""
    drawn = OUTLOOK.drawn(rows)
    return {**OUTLOOK.best(drawn), "revenue": policy_values(drawn.people)}
