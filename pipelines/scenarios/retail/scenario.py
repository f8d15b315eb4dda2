"""The retail scenario: churn and spend of a shop's customers, and which offer to make them."""

from __future__ import annotations

from pipelines.scenarios.base import Decision, Scenario
from pipelines.scenarios.retail import best, damaged, guide, outcomes, rows
from pipelines.scenarios.retail.world import GAPS, KEY, LAYOUT, WORLD

SCENARIO = Scenario(
    name="retail",
    key=KEY,
    world=WORLD,
    gaps=GAPS,
    layout=LAYOUT,
    rows=rows.rows,
    sorts=damaged.SORTS,
    best=best.best,
    job_yaml=guide.job_yaml,
    readme=guide.readme,
    decision=Decision(actions=outcomes.OFFERS, begin=rows.begin, gamma=0.0),
    texts=("review",),
)
