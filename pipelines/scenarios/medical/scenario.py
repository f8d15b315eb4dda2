"""The medical scenario: what a patient has, which test to order next, and when to stop testing and treat."""

from __future__ import annotations

from pipelines.scenarios.base import Decision, Scenario
from pipelines.scenarios.medical import best, care, course, damaged, guide, rows
from pipelines.scenarios.medical.world import GAPS, KEY, LAYOUT, WORLD

SCENARIO = Scenario(
    name="medical",
    key=KEY,
    world=WORLD,
    gaps=GAPS,
    layout=LAYOUT,
    rows=rows.rows,
    sorts=damaged.SORTS,
    best=best.best,
    job_yaml=guide.job_yaml,
    readme=guide.readme,
    decision=Decision(actions=care.ACTIONS, begin=course.begin, gamma=care.GAMMA),
    texts=("note",),
)
