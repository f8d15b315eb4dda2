"""The value on validation rows that training is stopped by, and which of two policies is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.learn.decisions import Decisions
from models.learn.judging import Judged, judged
from tests.models.learn.logs import world

POLICY = np.array([[0.5, 0.5], [0.25, 0.75]])
EXPECTED = np.array([[1.0, 3.0], [0.0, 4.0]])


def log(**changed: Any) -> Decisions:
    """Two rows of one customer: actions 0 and 1, rewards 2 and 5, propensities 1/4 and 1/2."""
    rows = Decisions(
        inputs={"photo": 1},
        x=np.zeros((2, 1, 1), np.float32),
        mask=np.ones((2, 1), np.bool_),
        action=np.array([0, 1]),
        reward=np.array([2.0, 5.0]),
        propensity=np.array([0.25, 0.5]),
        allowed=np.ones((2, 2), np.bool_),
        groups=pa.array(["a", "b"]),
        episode=np.array([0, 1]),
        following=np.array([-1, -1]),
        terminated=np.array([True, True]),
    )
    return replace(rows, **changed)


EPISODE: dict[str, Any] = {
    "episode": np.array([0, 0]),
    "following": np.array([1, -1]),
    "terminated": np.array([False, True]),
    "groups": pa.array(["a", "a"]),
}


def test_single_decisions_are_doubly_robust() -> None:
    """Row 0: 2 + 0.5/0.25 · (2 − 1) = 4; row 1: 3 + 0.75/0.5 · (5 − 4) = 4.5."""
    found = judged(log(), POLICY, EXPECTED, 0.0)
    assert found.sums is not None
    assert (found.sums.tolist(), found.value) == ([4, 4.5], 4.25)


def test_an_episode_is_corrected_step_by_step() -> None:
    """γ = 1/2; V_1 = 4.5 as above; V_0 = 2 + 2 (2 + 4.5/2 − 1) = 8.5: one episode, so one value."""
    found = judged(log(**EPISODE), POLICY, EXPECTED, 0.5)
    assert (found.value, found.counts is not None and found.counts.tolist()) == (8.5, [1])


def test_a_cut_off_row_has_no_correction() -> None:
    """V_1 is the model's 0.75 · 4 = 3; V_0 = 2 + 2 (2 + 3/2 − 1) = 7."""
    assert judged(log(**{**EPISODE, "terminated": np.zeros(2, np.bool_)}), POLICY, EXPECTED, 0.5).value == 7


def test_weights_are_bounded() -> None:
    """Propensity 1/100 would give row 0 the weight 50; 10 counts: 2 + 10 · 1 = 12. Mean with 4.5: 8.25."""
    assert judged(log(propensity=np.array([0.01, 0.5])), POLICY, EXPECTED, 0.0).value == 8.25


def test_what_is_not_known_does_not_count() -> None:
    """Without row 0's propensity row 1 remains; in an episode neither does."""
    unknown = np.array([np.nan, 0.5])
    assert judged(log(propensity=unknown), POLICY, EXPECTED, 0.0).value == 4.5
    assert judged(log(**EPISODE, propensity=unknown), POLICY, EXPECTED, 0.5, 0.1) == Judged(loss=0.1)


def test_nothing_is_said_of_long_episodes() -> None:
    """21 decisions: the product of their weights would be nearly 0 or huge."""
    known = world()
    for length, said in ((20, True), (21, False)):
        rows = known.logged(50, length)
        assert np.bincount(rows.episode).max() == length
        policy = np.full(rows.allowed.shape, 1 / 3)
        assert (judged(rows, policy, np.zeros(policy.shape), 0.9).value is not None) == said


def group_values(*values: float, loss: float | None = None) -> Judged:
    """One episode per group."""
    return Judged(np.array(values), np.ones(len(values)), loss)


@pytest.mark.parametrize(
    ("now", "best", "preferred"),
    [
        (group_values(1, 2, 3), group_values(0, 1, 2.1), True),  # better by 0.97 ± 0.03
        (group_values(0, 1, 2.1), group_values(1, 2, 3), False),  # worse by as much
        (group_values(3, 0, 0), group_values(0, 1, 2.5), True),  # worse by 0.17 ± 1.4: chance, and trained longer
        (group_values(3, 0, 0, loss=2), group_values(0, 1, 2.5, loss=1), False),  # chance, but a larger loss
        (group_values(3, 0, 0, loss=1), group_values(0, 1, 2.5, loss=2), True),
        (group_values(1, 2, 3, loss=2), group_values(0, 1, 2.1, loss=1), True),  # value beyond chance before loss
        (Judged(loss=2), Judged(loss=1), False),
        (Judged(), Judged(), True),
    ],
)
def test_a_policy_is_kept_unless_an_earlier_one_is_better_beyond_chance(
    now: Judged, best: Judged, preferred: bool
) -> None:
    """Differences in value count from a standard error on, then the loss, then longer training."""
    assert now.preferred_to(best) == preferred
