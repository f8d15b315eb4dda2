"""What becomes of a firm: default, use of its credit line, and what each decision on its limit earns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from pipelines.scenarios.finance.world import WORLD
from pipelines.scenarios.quadratic import Quadratic
from pipelines.scenarios.streams import Floats

_quadratic = partial(Quadratic, WORLD.names)

DEFAULT_LOGIT = _quadratic(
    -1.8,
    {"stability": -1.1, "collateral": -0.8, "sector_stress": 1.1, "character": -1.2, "pressure": 1.2},
    {("sector_stress", "pressure"): 0.3},
)
"""Log odds of not paying within 12 months; 27 % of the firms do not, far more than a lender would live with."""

UTILISATION = _quadratic(
    52.0,
    {"stability": -9.0, "collateral": 10.0, "sector_stress": 11.0, "character": 8.0, "pressure": 11.0},
    {("collateral", "character"): 3.0},
)
"""Expected use of the line in the next quarter in % of its limit: overdrawn above 100, in credit below 0."""
UTILISATION_NOISE = 7.0  # standard deviation in % of what no latent explains

LIMITS = ("decline", "keep", "raise_small", "raise_large")
PROFIT: Mapping[str, Quadratic] = {
    "decline": _quadratic(15.0, {"pressure": 7.0, "sector_stress": 6.0}),
    "keep": _quadratic(18.0, {"character": 3.0, "stability": -3.0}),
    "raise_small": _quadratic(18.0, {"stability": 7.0, "character": 7.0, "pressure": -3.0}),
    "raise_large": _quadratic(
        14.0,
        {"collateral": 11.0, "sector_stress": -7.0, "pressure": -4.0},
        {("collateral", "character"): 2.0},
    ),
}
"""Expected profit of each decision on the limit in hundreds of euros a quarter, expected losses taken off."""
PROFIT_NOISE = 5.0  # standard deviation in hundreds of euros


def profits(latents: Floats) -> Floats:
    """`[n, 4]` expected profit of every decision at latents `[n, 5]`, in the order of LIMITS."""
    return np.stack([PROFIT[limit](latents) for limit in LIMITS], axis=1)
