"""Pupils whose courses a policy chooses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.scenarios.base import Episodes
from pipelines.scenarios.education import best, episodes, planning
from pipelines.scenarios.education import rows as education
from pipelines.scenarios.education.courses import COURSES, GAMMA, STATES
from pipelines.scenarios.education.scenario import SCENARIO
from pipelines.scenarios.layout import partitions
from pipelines.scenarios.simulate import simulate
from pipelines.scenarios.streams import Floats


def test_what_is_seen_is_a_nights_row() -> None:
    """The same columns; `allowed` says the same in the record and beside it."""
    now = episodes.begin(3, np.arange(6))
    records = now.records()
    assert records.schema.equals(education.rows(3, partitions(1, 1, 1)[1], np.arange(1))[0].schema)
    named = [[COURSES[i] for i in np.flatnonzero(mask)] for mask in now.allowed()]
    assert records["allowed"].to_pylist() == named


def test_acting_twice_from_the_same_moment_gives_the_same() -> None:
    """`act` changes nothing; what follows shows the new states."""
    now = episodes.begin(3, np.arange(40))
    action = np.arange(40) % 4
    one, other = now.act(action), now.act(action)
    np.testing.assert_array_equal(one.reward, other.reward)
    assert one.following.records().equals(other.following.records())
    assert one.following.records().num_rows == one.runs_on.sum()
    assert isinstance(one.following, episodes.Terms)
    assert (one.following.pupils.occasion == 1).all()


def test_nobody_goes_on_for_ever() -> None:
    """Remedial courses without end are cut off after so many."""
    now: Episodes = episodes.begin(0, np.arange(2))
    steps = 0
    while len(now.allowed()):
        now, steps = now.act(np.zeros(len(now.allowed()), int)).following, steps + 1
    assert steps == episodes.MOST_COURSES


def test_followed_pupils_gain_what_was_computed() -> None:
    """ "Always project" is worth what its values from all starts are on average, within four standard errors."""
    now: Episodes = episodes.begin(1, np.arange(600))
    running, returns = np.arange(600), np.zeros(600)
    for step in range(episodes.MOST_COURSES):
        acted = now.act(np.full(len(running), 3))
        returns[running] += GAMMA**step * acted.reward
        now, running = acted.following, running[acted.runs_on]
    values = planning.followed(np.tile(np.eye(4)[3], (len(STATES), 1)))[:, 3]
    error = returns.std() / np.sqrt(600)
    assert returns.mean() == pytest.approx(best.start_shares() @ values, abs=4 * error)


def test_policies_see_rendered_records() -> None:
    """What a policy is given holds an answer, an essay and a speech wherever they are not absent."""
    seen: list[pa.RecordBatch] = []

    def policy(records: pa.RecordBatch) -> Floats:
        seen.append(records)
        return np.tile(np.eye(4)[len(seen) % 2], (records.num_rows, 1))

    found = simulate(SCENARIO, policy, episodes=2, seed=1)
    assert found.episodes == 2
    assert len(seen) == episodes.MOST_COURSES  # nobody graduates without a project
    assert sum(batch["speech"].null_count for batch in seen) < 20  # of 60; 8 % are absent
