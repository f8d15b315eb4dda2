"""The sorts of damage that a firm's records can have."""

from __future__ import annotations

from pipelines.scenarios import sorts
from pipelines.scenarios.finance.accounts import CATEGORICAL, NUMERIC
from pipelines.scenarios.finance.transactions import TRANSACTION
from pipelines.scenarios.finance.world import KEY

SORTS = sorts.usual(
    sorts.Columns(
        key=KEY,
        image="document",
        text="news",
        sound="call",
        series="transactions",
        event=TRANSACTION,
        table="accounts",
        fields=(*NUMERIC, *CATEGORICAL),
        infinite=("infinite_debt", "debt_ratio"),
        nan=("nan_swing", "revenue_swing"),
    )
)
