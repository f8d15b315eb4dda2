"""What a pupil can do now: the chance of passing the test of mastery, and the points expected in the next one."""

from __future__ import annotations

from functools import partial

from pipelines.scenarios.education.world import WORLD
from pipelines.scenarios.quadratic import Quadratic

_quadratic = partial(Quadratic, WORLD.names)

# Products join a latent with levels and one without: given what is seen those are independent, so that the expectation
# of a product is the product of the expectations.
MASTERED_LOGIT = _quadratic(
    -0.2,
    {
        "skill": 1.3,
        "reasoning": 1.1,
        "diligence": 0.9,
        "fluency": 0.8,
        "confidence": 0.6,
        "language": 0.8,
        "care": 0.6,
        "forgetting": -0.8,
    },
    {("diligence", "forgetting"): -0.3},
)
"""Log odds of passing the test of mastery."""

NEXT_SCORE = _quadratic(
    55.0,
    {
        "skill": 7.0,
        "reasoning": 6.0,
        "language": 5.0,
        "fluency": 3.5,
        "confidence": 4.0,
        "diligence": 4.0,
        "care": 4.5,
        "forgetting": -4.0,
    },
    {("skill", "care"): 1.5, ("reasoning", "language"): 1.5},
)
"""Points expected in the next test, of about 100."""
SCORE_NOISE = 4.0  # standard deviation in points of what no latent explains
