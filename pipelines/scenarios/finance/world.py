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
        "character": 1.0,  # how the firm keeps its word: to customers, on the telephone, in paying bills
        "pressure": 0.5,  # of debts, on the accounts, on the balance, and on whoever answers the telephone
    },
    views={
        "document": (Shown("stability", 0.5), Shown("collateral", 0.4)),
        "news": (Shown("sector_stress", 0.4), Shown("character", 0.7)),
        "call": (Shown("pressure", 0.5), Shown("character", 0.6)),
        "accounts": (Shown("pressure", 0.6), Shown("stability", 0.8), Shown("collateral", 0.9)),
        "transactions": (Shown("pressure", 0.6), Shown("character", 0.5)),
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
