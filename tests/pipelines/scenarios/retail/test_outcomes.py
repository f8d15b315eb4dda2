"""Quadratic outcomes and their expectations."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.quadratic import Quadratic, sigmoid
from pipelines.scenarios.retail.outcomes import SPEND
from pipelines.scenarios.retail.world import WORLD
from pipelines.scenarios.world import Posterior


def test_value_of_a_quadratic() -> None:
    """1 + 2·mood + 3·mood·wealth at mood 2, wealth 5 is 35."""
    at = np.zeros((1, len(WORLD.names)))
    at[0, WORLD.names.index("mood")], at[0, WORLD.names.index("wealth")] = 2, 5
    assert Quadratic(WORLD.names, 1.0, {"mood": 2.0}, {("mood", "wealth"): 3.0})(at).tolist() == [35.0]


def test_expectation_agrees_with_sampling() -> None:
    """The closed form equals the mean over many draws from the posterior, correlations included."""
    rng = np.random.default_rng(0)
    root = rng.normal(0, 0.4, (len(WORLD.names), len(WORLD.names)))
    known = Posterior(rng.standard_normal((1, len(WORLD.names))), root @ root.T)
    draws = known.mean + rng.standard_normal((200_000, len(WORLD.names))) @ root.T
    values = SPEND(draws)
    error = 4 * values.std() / np.sqrt(len(values))
    assert SPEND.expected(known)[0] == pytest.approx(values.mean(), abs=error)


def test_sigmoid_does_not_overflow() -> None:
    """0, 0.5 and 1 at -1000, 0 and 1000."""
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0.0, 0.5, 1.0]
