"""Rows of the medical scenario."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.layout import partitions
from pipelines.scenarios.medical.course import begin
from pipelines.scenarios.medical.labs import RESULTS, ROUTINE
from pipelines.scenarios.medical.rows import rows
from pipelines.scenarios.medical.world import TESTS

HISTORY, NIGHT = partitions(200, 200, 1)


def test_an_episode_keeps_its_scan_and_writes_new_notes() -> None:
    """From step to step the film and the vital signs are the same bytes, note and sound are new."""
    data = rows(0, HISTORY, np.arange(150))[0]
    later = np.flatnonzero(np.array(data["step"]) > 0)
    assert len(later) > 30
    for column, stays in (("scan", True), ("vitals", True), ("note", False), ("breath", False)):
        values = data[column].to_pylist()
        pairs = [(values[row - 1], values[row]) for row in later.tolist() if values[row] is not None]
        assert all((one == other) == stays for one, other in pairs), column


def test_a_result_is_null_until_the_test_is_done() -> None:
    """In every row exactly the tests that are no longer allowed have results, in the history as at night."""
    for part in (HISTORY, NIGHT):
        data = rows(0, part, np.arange(100))[0]
        allowed = data["allowed"].to_pylist()
        for test, column in zip(TESTS, RESULTS, strict=True):
            is_there = np.array(data[column].is_valid())
            np.testing.assert_array_equal(is_there, [test not in names for names in allowed])
            assert is_there.any()


def test_absent_labs_still_hold_results() -> None:
    """Where no routine labs were drawn, a test that was done is there all the same."""
    data = rows(0, NIGHT, np.arange(200))[0]
    routine = np.any([np.array(data[name].is_valid()) for name in ROUTINE], axis=0)
    results = np.any([np.array(data[name].is_valid()) for name in RESULTS], axis=0)
    assert (results & ~routine).any()


def test_acting_shows_what_the_test_found() -> None:
    """After a test its result is among the patient's labs and the test is no longer allowed; treated ones are gone."""
    course = begin(4, np.arange(6))
    acted = course.act(np.array([1, 1, 7, 1, 6, 1]))
    np.testing.assert_array_equal(acted.runs_on, [True, True, False, True, False, True])
    before, after = course.records(), acted.following.records()
    assert before["bnp"].null_count == 6
    assert after["bnp"].null_count == 0
    assert after["patient_id"].to_pylist() == [before["patient_id"][row].as_py() for row in (0, 1, 3, 5)]
    assert not acted.following.allowed()[:, 1].any()
    np.testing.assert_allclose(acted.reward[acted.runs_on], -0.6)


def test_rewards_of_treatments_depend_on_the_diagnosis() -> None:
    """Antibiotics bring 10 for pneumonia and −6 for a weak heart."""
    patients = begin(0, np.arange(60)).patients
    rewards = begin(0, np.arange(60)).act(np.full(60, 4)).reward
    assert rewards[patients.diagnosis == 3].tolist() == [10.0] * int((patients.diagnosis == 3).sum())
    assert rewards[patients.diagnosis == 2].tolist() == [-6.0] * int((patients.diagnosis == 2).sum())
