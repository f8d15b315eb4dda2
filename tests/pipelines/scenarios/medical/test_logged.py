"""Episodes of care in the history."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.medical import care
from pipelines.scenarios.medical.best import value_of
from pipelines.scenarios.medical.course import FLOOR, Patients, admitted
from pipelines.scenarios.medical.logged import Log, log

ROWS = 3_000


@pytest.fixture(scope="module")
def logged() -> Log:
    """A history."""
    return log(0, np.arange(ROWS), ROWS)


def starts(logged: Log) -> list[int]:
    """The first row of each episode."""
    return np.flatnonzero(logged.patients.who.step == 0).tolist()


def test_episodes_are_whole(logged: Log) -> None:
    """Steps count up from 0 within a patient; the last one, and only it, ends the episode or cuts it off."""
    for start, stop in zip(starts(logged), [*starts(logged)[1:], ROWS], strict=True):
        rows = slice(start, stop)
        assert len(np.unique(logged.patients.who.subject[rows])) == 1
        assert logged.patients.who.step[rows].tolist() == list(range(stop - start))
        over = logged.terminated[rows].astype(int) + logged.truncated[rows]
        assert over.tolist() == [0] * (stop - start - 1) + [1]


def test_up_to_five_steps(logged: Log) -> None:
    """Every length from 1 to 5 occurs, none is longer."""
    assert set(np.diff([*starts(logged), ROWS]).tolist()) == {1, 2, 3, 4, 5}


def test_no_subject_has_two_episodes(logged: Log) -> None:
    """Also not across blocks of rows."""
    subjects = logged.patients.who.subject[starts(logged)]
    assert len(np.unique(subjects)) == len(subjects)


def test_treatments_end_and_tests_do_not(logged: Log) -> None:
    """Terminated are those who were treated; some of the others are cut off, at the ends of blocks."""
    np.testing.assert_array_equal(logged.terminated, logged.action >= 4)
    cut = np.flatnonzero(logged.truncated)
    assert len(cut) > 5
    assert (cut % 50 == 49).all()


def test_results_are_there_after_the_test(logged: Log) -> None:
    """What is done at a step is what was done before it, and the test that was ordered."""
    for row in np.flatnonzero(~logged.terminated & ~logged.truncated)[:200].tolist():
        before, after = logged.patients.done[row], logged.patients.done[row + 1]
        assert np.flatnonzero(before != after).tolist() == [int(logged.action[row])]


def test_rows_do_not_depend_on_chunks(logged: Log) -> None:
    """Rows 130 to 170 drawn alone are those of the whole."""
    part = log(0, np.arange(130, 170), ROWS)
    np.testing.assert_array_equal(part.action, logged.action[130:170])
    np.testing.assert_array_equal(part.reward, logged.reward[130:170])
    np.testing.assert_array_equal(part.truncated, logged.truncated[130:170])
    np.testing.assert_array_equal(part.patients.hidden, logged.patients.hidden[130:170])


def test_a_history_that_ends_in_an_episode_cuts_it_off(logged: Log) -> None:
    """With fewer rows the last one is the last of its episode, whatever would have followed."""
    rows = int(np.flatnonzero(logged.patients.who.step[:50] == 1)[0])  # the row before is a first step with a second
    assert not logged.terminated[rows - 1]
    assert log(0, np.arange(rows), rows).truncated[-1]


def test_propensities_are_right(logged: Log) -> None:
    """The mean of 1[action = x] / propensity is the share of rows where x is allowed, for every action."""
    allowed = logged.patients.allowed()
    assert logged.propensity.min() >= FLOOR
    for action in range(len(care.ACTIONS)):
        counted = (logged.action == action) / logged.propensity
        assert counted.mean() == pytest.approx(allowed[:, action].mean(), abs=4 * counted.std() / np.sqrt(ROWS))


def test_the_log_brings_what_its_policy_is_worth(logged: Log) -> None:
    """Mean discounted return of the episodes that were not cut off, against the simulated policy."""
    discounted = care.GAMMA**logged.patients.who.step * logged.reward
    returns = np.add.reduceat(discounted, starts(logged))
    whole = ~np.logical_or.reduceat(logged.truncated, starts(logged))
    value, error = value_of(Patients.logged_chances, admitted(9, np.arange(3_000)))
    spread = np.hypot(error, returns.std() / np.sqrt(whole.sum()))
    assert returns[whole].mean() == pytest.approx(value, abs=3 * spread)
