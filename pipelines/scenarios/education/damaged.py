"""The sorts of damage that a pupil's records can have."""

from __future__ import annotations

from pipelines.scenarios import sorts
from pipelines.scenarios.education.activity import SESSION
from pipelines.scenarios.education.grades import CATEGORICAL, NUMERIC
from pipelines.scenarios.education.world import KEY

SORTS = sorts.usual(
    sorts.Columns(
        key=KEY,
        image="answer",
        text="essay",
        sound="speech",
        series="activity",
        event=SESSION,
        table="grades",
        fields=(*NUMERIC, *CATEGORICAL),
        infinite=("infinite_points", "mathematics"),
        nan=("nan_age", "age"),
    )
)
