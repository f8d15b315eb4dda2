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
    -1.9,
    {
        "stability": -0.9,
        "collateral": -0.6,
        "sector_stress": 1.1,
        "reputation": -0.5,
        "strain": 1.0,
        "leverage": 1.1,
        "liquidity": -0.9,
        "discipline": -1.0,
    },
    {("sector_stress", "leverage"): 0.3, ("strain", "liquidity"): -0.3},
)
"""Log odds of not paying within 12 months; 27 % of the firms do not, far more than a lender would live with."""

UTILISATION = _quadratic(
    52.0,
    {
        "stability": -5.0,
        "collateral": 10.0,
        "sector_stress": 7.0,
        "reputation": 9.0,
        "strain": 11.0,
        "leverage": 10.0,
        "liquidity": -10.0,
        "discipline": 4.0,
    },
    {("leverage", "liquidity"): -3.0, ("collateral", "reputation"): 3.0},
)
"""Expected use of the line in the next quarter in % of its limit: overdrawn above 100, in credit below 0."""
UTILISATION_NOISE = 8.0  # standard deviation in % of what no latent explains

LIMITS = ("decline", "keep", "raise_small", "raise_large")
PROFIT: Mapping[str, Quadratic] = {
    "decline": _quadratic(16.0, {"leverage": 4.0, "strain": 4.0, "sector_stress": 3.0}),
    "keep": _quadratic(18.0, {"liquidity": -2.0, "reputation": 2.0}),
    "raise_small": _quadratic(18.0, {"liquidity": -6.0, "stability": 4.0, "discipline": 4.0}),
    "raise_large": _quadratic(
        16.0,
        {"collateral": 6.0, "reputation": 5.0, "leverage": -4.0, "sector_stress": -4.0},
        {("collateral", "reputation"): 1.5},
    ),
}
"""Expected profit of each decision on the limit in hundreds of euros a quarter, expected losses taken off."""
PROFIT_NOISE = 6.0  # standard deviation in hundreds of euros


def profits(latents: Floats) -> Floats:
    """`[n, 4]` expected profit of every decision at latents `[n, 8]`, in the order of LIMITS."""
    return np.stack([PROFIT[limit](latents) for limit in LIMITS], axis=1)
