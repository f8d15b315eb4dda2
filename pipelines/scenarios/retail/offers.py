"""The logging policy: which offer is made, with which probability, from what it can see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.scenarios.decisions import probabilities, weighted
from pipelines.scenarios.retail.outcomes import OFFERS
from pipelines.scenarios.retail.profile import is_starter
from pipelines.scenarios.streams import Bools, Floats

FLOOR = 0.05  # least probability of an allowed offer: keeps importance weights below 20
SEES = ("profile", "visits")
# Weights of (profile: wealth, loyalty; visits: loyalty, intent), standardized, per offer: a plausible rule of
# thumb rather than a good policy, so that there is something to learn from its log.
_WEIGHTS = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],  # none
        [-0.6, 0.3, 0.0, 0.3],  # discount
        [0.7, 0.0, 0.2, 0.0],  # upgrade
        [0.0, 0.2, 0.2, 0.0],  # call_back
    ]
)
_CONSTANT = np.array([-0.4, 0.2, 0.1, 0.1])


def allowed_offers(shown: Mapping[str, Floats], present: Mapping[str, Bools]) -> Bools:
    """`[n, 4]`: an upgrade is not offered to the segment `starter`; everything else to everybody."""
    allowed = np.ones((len(shown["profile"]), len(OFFERS)), dtype=np.bool_)
    allowed[:, OFFERS.index("upgrade")] = ~(is_starter(shown["profile"][:, 0]) & present["profile"])
    return allowed


def chances(shown: Mapping[str, Floats], present: Mapping[str, Bools], allowed: Bools) -> Floats:
    """`[n, 4]` probability of each offer, from standardized views `[n, k]` where they are present."""
    seen = np.concatenate([shown[m] * present[m][:, None] for m in SEES], axis=1)
    return probabilities(weighted(seen, _WEIGHTS) + _CONSTANT, allowed, FLOOR)
