"""The logging policy: which offer was made, with which probability, from what it could see."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipelines.scenarios.outcomes import OFFERS
from pipelines.scenarios.streams import Bools, Floats, Ints

FLOOR = 0.05  # least probability of an allowed offer: keeps importance weights below 20
SEES = ("profile", "visits")
# Weights of (profile: wealth, loyalty; visits: loyalty, intent), standardized, per offer: a plausible rule of
# thumb rather than a good policy, so that there is something to learn from its log.
_WEIGHTS = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],  # none
        [-0.6, 0.3, 0.0, 0.3],  # discount
        [0.7, 0.0, 0.2, 0.0],  # upgrade
        [0.0, -0.4, -0.4, 0.0],  # call_back
    ]
)
_CONSTANT = np.array([0.6, 0.2, 0.0, -0.2])


class Decisions(NamedTuple):
    """What was done in each row."""

    offer: Ints
    """`[n]` index in OFFERS."""
    propensity: Floats
    """`[n]` probability of that offer."""


def probabilities(seen: Floats, allowed: Bools) -> Floats:
    """`[n, 4]` probability of each offer: a softmax over the allowed ones, mixed with FLOOR for each of them.

    Args:
        seen: `[n, 4]` standardized views of profile and visits, 0 where absent.
        allowed: `[n, 4]`.
    """
    scores = np.where(allowed, seen @ _WEIGHTS.T + _CONSTANT, -np.inf)
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax = raised / raised.sum(axis=1, keepdims=True)
    mixed: Floats = allowed * FLOOR + (1 - FLOOR * allowed.sum(axis=1, keepdims=True)) * softmax
    return mixed


def allowed_offers(is_starter: Bools) -> Bools:
    """`[n, 4]`: an upgrade is not offered to the segment `starter`; everything else to everybody."""
    allowed = np.ones((len(is_starter), len(OFFERS)), dtype=np.bool_)
    allowed[:, OFFERS.index("upgrade")] = ~is_starter
    return allowed


def decide(chances: Floats, uniform: Floats) -> Decisions:
    """Draw one offer per row from probabilities `[n, 4]` with uniform numbers `[n]`."""
    offer = np.minimum((np.cumsum(chances, axis=1) <= uniform[:, None]).sum(axis=1), len(OFFERS) - 1)
    # Rounding may leave the sum just below 1: then the last offer, which is always allowed, is the right one.
    return Decisions(offer, np.take_along_axis(chances, offer[:, None], axis=1)[:, 0])
