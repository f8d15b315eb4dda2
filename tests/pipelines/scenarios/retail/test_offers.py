"""The logged offers and their propensities."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.layout import partitions
from pipelines.scenarios.retail.offers import FLOOR
from pipelines.scenarios.retail.outcomes import OFFERS
from pipelines.scenarios.retail.rows import STAGE, labels


def test_logged_propensities_are_right() -> None:
    """The mean of 1[offer = x] / propensity is the share of rows where x is allowed, for every offer."""
    now = STAGE.situation(0, partitions(1, 3_000, 1)[0], np.arange(3_000))
    columns = labels(now)
    offer = np.array(columns["offer"].to_pylist())
    weight = 1 / columns["propensity"].to_numpy()
    for index, name in enumerate(OFFERS):
        counted = weight * (offer == name)
        share = now.allowed[:, index].mean()
        assert counted.mean() == pytest.approx(share, abs=4 * counted.std() / np.sqrt(3_000)), name
        assert counted.std() > 0


def test_offers_are_always_allowed_ones() -> None:
    """No row logs an offer that was not allowed in it, and the least propensity is the floor."""
    now = STAGE.situation(1, partitions(1, 1_000, 1)[0], np.arange(1_000))
    columns = labels(now)
    made = [OFFERS.index(offer) for offer in columns["offer"].to_pylist()]
    assert now.allowed[np.arange(1_000), made].all()
    assert not now.allowed.all()
    assert columns["propensity"].to_numpy().min() >= FLOOR
