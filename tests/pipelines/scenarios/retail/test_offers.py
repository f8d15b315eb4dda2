"""The logged offers and their propensities."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.layout import partitions
from pipelines.scenarios.retail.offers import FLOOR
from pipelines.scenarios.retail.outcomes import OFFERS
from pipelines.scenarios.retail.rows import labels, situation


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
