"""The sorts of damage that a shop's records can have."""

from __future__ import annotations

from pipelines.scenarios import sorts
from pipelines.scenarios.retail.profile import CATEGORICAL, NUMERIC
from pipelines.scenarios.retail.visits import VISIT
from pipelines.scenarios.retail.world import KEY

SORTS = sorts.usual(
    sorts.Columns(
        key=KEY,
        image="photo",
        text="review",
        sound="call",
        series="visits",
        event=VISIT,
        table="profile",
        fields=(*NUMERIC, *CATEGORICAL),
        infinite=("infinite_income", "income"),
        nan=("nan_age", "age"),
    )
)
