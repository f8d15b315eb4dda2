"""The finance scenario: default and use of small firms' credit lines, and what to do with their limits."""

from __future__ import annotations

from pipelines.scenarios.base import Decision, Scenario
from pipelines.scenarios.finance import best, damaged, guide, outcomes, rows
from pipelines.scenarios.finance.world import GAPS, KEY, LAYOUT, WORLD

SCENARIO = Scenario(
    name="finance",
    key=KEY,
    world=WORLD,
    gaps=GAPS,
    layout=LAYOUT,
    rows=rows.rows,
    sorts=damaged.SORTS,
    best=best.best,
    job_yaml=guide.job_yaml,
    readme=guide.readme,
    decision=Decision(actions=outcomes.LIMITS, begin=rows.begin, gamma=0.0),
    texts=("news",),
)
