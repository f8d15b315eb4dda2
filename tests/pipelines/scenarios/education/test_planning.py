"""What courses are worth in the long run."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.education import courses, planning, pupils
from pipelines.scenarios.education.courses import COURSES, GAMMA, STATES


def test_values_satisfy_bellmans_equation() -> None:
    """Q = r + γ P V, to rounding."""
    values = planning.optimal()
    backed_up = courses.model().expected_reward() + GAMMA * planning.transitions() @ planning.best_of(values)
    np.testing.assert_allclose(values, backed_up, atol=1e-6)


def test_what_remains_of_probability_graduates() -> None:
    """Transitions and graduation share the probability."""
    known = courses.model()
    graduates = (known.probability * known.graduates).sum(axis=2)
    np.testing.assert_allclose(planning.transitions().sum(axis=2) + graduates, 1)


def test_the_plan_is_the_one_that_a_teacher_would_make() -> None:
    """Fill gaps, then practise if diligent, then advance, then the project."""
    plan = {level: COURSES[course] for level, course in zip(STATES, planning.optimal().argmax(axis=1), strict=True)}
    assert plan[0, 0, 0, 1] == "remedial"  # practice without diligence leads nowhere
    assert plan[0, 0, 1, 1] == "practice"
    assert plan[1, 0, 0, 1] == "advance"
    assert plan[1, 1, 0, 1] == "project"
    assert set(plan.values()) == set(COURSES)


def test_who_looks_at_the_next_gain_only_chooses_otherwise() -> None:
    """In more than a third of the states the course of the largest next gain is not the best one."""
    short = courses.model().expected_reward().argmax(axis=1)
    assert (short != planning.optimal().argmax(axis=1)).mean() > 1 / 3


def test_a_followed_policy_is_worth_what_its_returns_are() -> None:
    """V of "always project" from one state equals the mean of drawn returns, within four standard errors."""
    start = STATES.index((1, 0, 1, 1))
    policy = np.tile(np.eye(4)[3], (len(STATES), 1))
    rng, returns, running = np.random.default_rng(0), np.zeros(4_000), np.arange(4_000)
    for step in range(80):
        taken = courses.take(np.full(len(running), start), np.full(len(running), 3), rng.random(len(running)))
        returns[running] += GAMMA**step * taken.reward
        running = running[~taken.graduates]
    error = returns.std() / np.sqrt(4_000)
    assert planning.followed(policy)[start, 3] == pytest.approx(returns.mean(), abs=4 * error)


def test_shares_of_what_is_allowed_are_those_of_drawn_pupils() -> None:
    """Of pupils with little skill and of others, as many may advance as is expected."""
    drawn = pupils.new(0, np.arange(3_000))
    allowed = pupils.seen(0, drawn).allowed[:, COURSES.index("advance")]
    shares = planning.allowed_shares()[drawn.state]
    for skill in range(2):
        rows = np.array(STATES)[drawn.state, 0] == skill
        assert allowed[rows].mean() == pytest.approx(shares[rows].mean(), abs=4 * 0.5 / np.sqrt(rows.sum()))
    assert shares.min() < 0.75 < 0.97 < shares.max()
