"""The logging policy and its propensities."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.decisions import FLOOR, allowed_offers, decide, probabilities
from pipelines.scenarios.layout import partitions
from pipelines.scenarios.outcomes import OFFERS
from pipelines.scenarios.retail import labels, situation


def test_probabilities_sum_to_one_above_the_floor() -> None:
    """Allowed offers have at least FLOOR, forbidden ones nothing."""
    rng = np.random.default_rng(0)
    allowed = allowed_offers(rng.random(1_000) < 0.5)
    chances = probabilities(5 * rng.standard_normal((1_000, 4)), allowed)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert chances[allowed].min() >= FLOOR
    assert not chances[~allowed].any()


def test_offers_are_drawn_by_their_probability() -> None:
    """With 0.1, 0.2, 0.3, 0.4 the uniform numbers 0.05, 0.15, 0.59 and 0.99 draw the four offers in turn."""
    chances = np.tile([0.1, 0.2, 0.3, 0.4], (4, 1))
    decisions = decide(chances, np.array([0.05, 0.15, 0.59, 0.99]))
    assert decisions.offer.tolist() == [0, 1, 2, 3]
    assert decisions.propensity.tolist() == [0.1, 0.2, 0.3, 0.4]


def test_logged_propensities_are_right() -> None:
    """The mean of 1[offer = x] / propensity is the share of rows where x is allowed, for every offer."""
    columns = labels(situation(0, partitions(1, 3_000, 1)[0], np.arange(3_000)))
    offer = np.array(columns["offer"].to_pylist())
    weight = 1 / columns["propensity"].to_numpy()
    allowed = columns["allowed"].to_pylist()
    for name in OFFERS:
        counted = weight * (offer == name)
        share = np.mean([name in names for names in allowed])
        assert counted.mean() == pytest.approx(share, abs=4 * counted.std() / np.sqrt(3_000)), name
        assert counted.std() > 0


def test_offers_are_always_allowed_ones() -> None:
    """No row logs an offer that was not allowed in it, and the least propensity is the floor."""
    columns = labels(situation(1, partitions(1, 1_000, 1)[0], np.arange(1_000)))
    pairs = zip(columns["offer"].to_pylist(), columns["allowed"].to_pylist(), strict=True)
    assert all(offer in allowed for offer, allowed in pairs)
    assert columns["propensity"].to_numpy().min() >= FLOOR
