"""What happens to a customer: churn, spend and the revenue of each offer, as quadratic functions of the latents."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from pipelines.scenarios.quadratic import Quadratic
from pipelines.scenarios.retail.world import WORLD
from pipelines.scenarios.streams import Floats

_quadratic = partial(Quadratic, WORLD.names)

CHURN_LOGIT = _quadratic(
    -0.9,
    {"mood": -1.3, "loyalty": -1.2, "haste": 1.2, "taste_bold": 0.9, "intent": -0.9},
    {("mood", "loyalty"): 0.35, ("haste", "taste_bold"): 0.35},
)
"""Log odds of leaving within 30 days."""

SPEND = _quadratic(
    220.0,
    {"wealth": 36.0, "taste_ornate": 30.0, "intent": 30.0, "mood": 18.0, "loyalty": 14.0},
    {("wealth", "taste_bold"): 12.0, ("intent", "haste"): 10.0},
)
"""Expected spend of the next 30 days in euros, net of returns (so it may be negative)."""
SPEND_NOISE = 24.0  # standard deviation in euros of what no latent explains

OFFERS = ("none", "discount", "upgrade", "call_back")
REVENUE: Mapping[str, Quadratic] = {
    "none": _quadratic(14.0, {"wealth": 4.0, "loyalty": 4.0}),
    "discount": _quadratic(19.0, {"wealth": -4.0, "loyalty": 4.0, "intent": 8.0, "haste": 5.0}),
    "upgrade": _quadratic(18.0, {"wealth": 12.0, "taste_ornate": 6.0}, {("wealth", "taste_bold"): 4.0}),
    "call_back": _quadratic(19.0, {"mood": -9.0, "loyalty": 8.0, "haste": -5.0}),
}
"""Expected revenue of each offer in euros, its cost taken off."""
REVENUE_NOISE = 6.0  # standard deviation in euros


def revenues(latents: Floats) -> Floats:
    """`[n, 4]` expected revenue of every offer at latents `[n, 8]`, in the order of OFFERS."""
    return np.stack([REVENUE[offer](latents) for offer in OFFERS], axis=1)
