"""The education scenario: mastery and next score of pupils, and which course comes next."""

from __future__ import annotations

from pipelines.scenarios.base import Decision, Scenario
from pipelines.scenarios.education import best, damaged, episodes, guide, rows
from pipelines.scenarios.education.courses import COURSES, GAMMA
from pipelines.scenarios.education.world import GAPS, KEY, LAYOUT, WORLD

SCENARIO = Scenario(
    name="education",
    key=KEY,
    world=WORLD,
    gaps=GAPS,
    layout=LAYOUT,
    rows=rows.rows,
    sorts=damaged.SORTS,
    best=best.best,
    job_yaml=guide.job_yaml,
    readme=guide.readme,
    decision=Decision(actions=COURSES, begin=episodes.begin, gamma=GAMMA),
    texts=("essay",),
)
