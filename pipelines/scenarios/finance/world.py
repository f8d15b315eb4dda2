"""What stands behind a firm that has a credit line, and which modality shows what of it."""

from __future__ import annotations

from pipelines.scenarios.gaps import Gaps
from pipelines.scenarios.layout import Layout
from pipelines.scenarios.world import Shown, World

KEY = "firm_id"

WORLD = World(
    persistence={
        "stability": 1.0,  # of the income
        "collateral": 1.0,
        "sector_stress": 0.5,
        "reputation": 1.0,
        "strain": 0.3,  # on whoever answers the telephone
        "leverage": 1.0,
        "liquidity": 0.5,
        "discipline": 1.0,  # in paying bills
    },
    views={
        "document": (Shown("stability", 0.35), Shown("collateral", 0.35)),
        "news": (Shown("sector_stress", 0.4), Shown("reputation", 0.4)),
        "call": (Shown("strain", 0.35), Shown("discipline", 0.7)),
        "accounts": (Shown("leverage", 0.4), Shown("stability", 1.1), Shown("collateral", 1.2)),
        "transactions": (Shown("liquidity", 0.4), Shown("discipline", 0.5)),
    },
)

GAPS = Gaps({"document": 0.08, "news": 0.07, "call": 0.10, "accounts": 0.03, "transactions": 0.05}, kept="accounts")

LAYOUT = Layout(
    episodes=(2, 3, 1, 4, 2, 3, 4, 1, 3, 2),  # quarters of ten firms in a row; then it repeats
    prefix="f",
    changes={"document": 0.25, "news": 0.6},
    fresh_in_history=frozenset({"news"}),  # a label goes with what was written before it
    days_between=90,
)
