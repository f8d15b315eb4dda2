"""The lender's rule of thumb: which decision on the limit is made, with which probability, from what it can see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.scenarios.decisions import probabilities
from pipelines.scenarios.finance.accounts import is_watched
from pipelines.scenarios.finance.outcomes import LIMITS
from pipelines.scenarios.streams import Bools, Floats

FLOOR = 0.05  # least probability of an allowed decision: keeps importance weights below 20
SEES = ("accounts", "transactions")
# Weights of (accounts: pressure, stability, collateral; transactions: pressure, character), standardized, per
# decision: a plausible rule of thumb rather than a good policy, so that there is something to learn from its log.
_WEIGHTS = np.array(
    [
        [0.5, -0.2, 0.0, 0.3, -0.2],  # decline
        [0.0, 0.0, 0.0, 0.0, 0.0],  # keep
        [-0.3, 0.3, 0.0, -0.2, 0.2],  # raise_small
        [-0.5, 0.2, 0.3, -0.4, 0.2],  # raise_large
    ]
)
_CONSTANT = np.array([-0.2, 0.5, 0.1, -0.2])


def allowed_limits(shown: Mapping[str, Floats], present: Mapping[str, Bools]) -> Bools:
    """`[n, 4]`: nothing is raised by much without accounts, nor for a firm that is watched; all else may be decided."""
    may_raise = present["accounts"] & ~is_watched(shown["accounts"][:, 0])
    allowed = np.ones((len(may_raise), len(LIMITS)), dtype=np.bool_)
    allowed[:, LIMITS.index("raise_large")] = may_raise
    return allowed


def chances(shown: Mapping[str, Floats], present: Mapping[str, Bools], allowed: Bools) -> Floats:
    """`[n, 4]` probability of each decision, from standardized views `[n, k]` where they are present."""
    seen = np.concatenate([shown[m] * present[m][:, None] for m in SEES], axis=1)
    return probabilities(seen @ _WEIGHTS.T + _CONSTANT, allowed, FLOOR)
