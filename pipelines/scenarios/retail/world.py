"""A customer's hidden factors, what each modality shows of them, and when customers come."""

from __future__ import annotations

from pipelines.scenarios.gaps import Gaps
from pipelines.scenarios.layout import Layout
from pipelines.scenarios.world import Shown, World

KEY = "customer_id"

WORLD = World(
    persistence={
        "taste_bold": 1.0,
        "taste_ornate": 1.0,
        "mood": 0.5,
        "wealth": 1.0,
        "loyalty": 1.0,
        "haste": 0.5,
        "intent": 0.5,
        "product": 1.0,  # what sort of thing is bought: nothing follows from it, but a photo and its review share it
    },
    views={
        "photo": (
            Shown("taste_bold", 0.45),
            Shown("taste_ornate", 0.45),
            Shown("wealth", 1.2),
            Shown("product", 0.05),
        ),
        "review": (
            Shown("mood", 0.7),
            Shown("loyalty", 0.9),
            Shown("taste_bold", 0.6),
            Shown("taste_ornate", 0.6),
            Shown("product", 0.05),
        ),
        "call": (Shown("mood", 0.8), Shown("haste", 0.45)),
        "profile": (Shown("wealth", 0.6), Shown("loyalty", 1.0)),
        "visits": (Shown("loyalty", 0.9), Shown("intent", 0.45)),
    },
)

GAPS = Gaps({"photo": 0.08, "review": 0.06, "call": 0.10, "profile": 0.03, "visits": 0.05}, kept="profile")

LAYOUT = Layout(
    episodes=(2, 3, 1, 4, 2, 3, 4, 1, 3, 2),
    prefix="c",
    changes={"photo": 0.25, "review": 0.4},
    fresh_in_history=frozenset({"review"}),  # a label goes with a fresh review
)
