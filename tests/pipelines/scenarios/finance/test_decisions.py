"""The lender's rule of thumb and its propensities."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.finance import rows as finance
from pipelines.scenarios.finance.decisions import FLOOR, allowed_limits, chances
from pipelines.scenarios.finance.outcomes import LIMITS
from pipelines.scenarios.finance.world import WORLD
from pipelines.scenarios.layout import partitions
from pipelines.scenarios.streams import Bools, Floats


def drawn(rows: int) -> tuple[dict[str, Floats], dict[str, Bools]]:
    """Wild views, and masks of which a third is false."""
    rng = np.random.default_rng(0)
    shown = {m: 4 * rng.standard_normal((rows, len(WORLD.views[m]))) for m in WORLD.modalities}
    return shown, {m: rng.random(rows) < 2 / 3 for m in WORLD.modalities}


def test_probabilities_sum_to_one_above_the_floor() -> None:
    """Allowed decisions have at least 0.05, forbidden ones nothing."""
    shown, present = drawn(1_000)
    allowed = allowed_limits(shown, present)
    policy = chances(shown, present, allowed)
    np.testing.assert_allclose(policy.sum(axis=1), 1)
    assert policy[allowed].min() >= FLOOR == 0.05
    assert not policy[~allowed].any()


def test_what_is_absent_does_not_count() -> None:
    """Whatever stands in the views of absent modalities, the policy is the same."""
    shown, present = drawn(200)
    other = {m: np.where(present[m][:, None], view, 99.0) for m, view in shown.items()}
    allowed = allowed_limits(shown, present)
    np.testing.assert_array_equal(allowed, allowed_limits(other, present))
    np.testing.assert_array_equal(chances(shown, present, allowed), chances(other, present, allowed))


def test_logged_propensities_are_right() -> None:
    """The mean of 1[decision = x] / propensity is the share of rows where x is allowed, for every decision."""
    columns = finance.labels(now := finance.STAGE.situation(0, partitions(1, 3_000, 1)[0], np.arange(3_000)))
    action, weight = np.array(columns["limit_action"].to_pylist()), 1 / columns["propensity"].to_numpy()
    for index, name in enumerate(LIMITS):
        counted = weight * (action == name)
        assert counted.mean() == pytest.approx(now.allowed[:, index].mean(), abs=4 * counted.std() / np.sqrt(3_000))
        assert (action == name).mean() > 0.1


def test_only_allowed_decisions_are_logged() -> None:
    """No row logs what was not allowed in it."""
    now = finance.STAGE.situation(1, partitions(1, 1_000, 1)[0], np.arange(1_000))
    taken = [LIMITS.index(name) for name in finance.labels(now)["limit_action"].to_pylist()]
    assert now.allowed[np.arange(1_000), taken].all()
    assert not now.allowed.all()
