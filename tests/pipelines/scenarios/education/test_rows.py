"""Rows of the education scenario."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.scenarios.education import courses, pupils
from pipelines.scenarios.education import rows as education
from pipelines.scenarios.education.courses import COURSES
from pipelines.scenarios.education.outcomes import SCORE_NOISE
from pipelines.scenarios.education.world import GAPS, LAYOUT
from pipelines.scenarios.layout import partitions

HISTORY, FIRST, SECOND = partitions(90, 90, 2)
ROWS = 2_700  # 300 rounds of three places


@pytest.fixture(scope="module")
def log() -> dict[str, Any]:
    """Labels and decisions of many rows, with what is true of them, without rendering."""
    who = LAYOUT.rows(0, partitions(1, ROWS, 1)[0], np.arange(ROWS))
    log = pupils.history(0, who)
    tail = {name: np.array(column.to_pylist()) for name, column in education.labels(0, log, who.last == 1).items()}
    known = education.truths(log.pupils, log.sight, np.zeros(ROWS, np.int64))
    return {**{name: np.array(column.to_pylist()) for name, column in known.items()}, **tail, "log": log}


def test_rows_do_not_depend_on_chunks() -> None:
    """Ten rows drawn alone, from the middle of a term on, are those ten rows of forty."""
    forty, ten = education.rows(7, HISTORY, np.arange(40)), education.rows(7, HISTORY, np.arange(23, 33))
    for whole, part in zip(forty, ten, strict=True):
        assert whole.slice(23, 10).equals(part)


def test_another_seed_gives_other_rows() -> None:
    """No answer and no label stays as it was."""
    one, other = (education.rows(seed, HISTORY, np.arange(9))[0] for seed in (0, 1))
    assert not one["next_score"].equals(other["next_score"])
    assert not one["answer"].equals(other["answer"])


def test_nights_have_no_labels_but_what_is_allowed() -> None:
    """A night has the history's columns up to the labels, the allowed courses among them."""
    history, night = (education.rows(0, part, np.arange(5))[0].schema for part in (HISTORY, FIRST))
    assert night.names == history.names[: len(night.names)]
    assert night.names[-1] == "allowed"
    assert history.names[len(night.names) :] == [
        "step", "mastered", "next_score", "course", "propensity", "gain", "terminated", "truncated",
    ]  # fmt: skip


def test_unchanged_answers_and_essays_keep_their_bytes() -> None:
    """From one night to the next an answer is the same bytes unless it is new; speech is always new."""
    (before, _), (after, known) = (education.rows(0, part, np.arange(40)) for part in (FIRST, SECOND))
    regular = np.arange(40) % 5 != 4
    for column, is_always_new in (("answer", False), ("essay", False), ("speech", True)):
        pairs = zip(before[column].to_pylist(), after[column].to_pylist(), strict=True)
        same = np.array([a == b and a is not None for a, b in pairs])
        both = np.array(before[column].is_valid()) & np.array(after[column].is_valid()) & regular
        is_new = np.ones(40, bool) if is_always_new else np.array(known[f"{column}_is_new"])
        np.testing.assert_array_equal(same[both], ~is_new[both])


def test_gaps_are_3_to_10_percent() -> None:
    """Every modality has its rate, and it lies between 3 and 10 %."""
    assert set(GAPS.absent) == {"answer", "essay", "speech", "grades", "activity"}
    assert all(0.03 <= rate <= 0.1 for rate in GAPS.absent.values())


def test_ordinary_rows_hold_no_nan() -> None:
    """Absent numbers are null; NaN is damage."""
    batch = education.rows(0, HISTORY, np.arange(90))[0]
    for field in batch.schema:
        if pa.types.is_floating(field.type):
            assert np.isfinite(batch[field.name].drop_null().to_numpy()).all(), field.name


def test_foundation_pupils_may_not_advance() -> None:
    """What is allowed can be told from the record itself: from its level."""
    batch = education.rows(0, FIRST, np.arange(90))[0]
    pairs = list(zip(batch["level"].to_pylist(), batch["allowed"].to_pylist(), strict=True))
    for level, allowed in pairs:
        assert allowed == [name for name in COURSES if name != "advance" or level != "foundation"]
    assert {level == "foundation" for level, _ in pairs} == {True, False}


def test_episodes_are_whole(log: dict[str, Any]) -> None:
    """Steps count from 0 up to 3; only the last row of a pupil is terminated or truncated, and it is one of both."""
    is_last = np.append(log["pupil_id"][1:] != log["pupil_id"][:-1], True)
    is_first = np.append(True, is_last[:-1])
    assert (log["step"][is_first] == 0).all()
    assert (np.diff(log["step"])[~is_last[:-1]] == 1).all()
    assert log["step"].max() == 3
    np.testing.assert_array_equal(log["terminated"] ^ log["truncated"], is_last)
    assert not (log["terminated"] & log["truncated"]).any()
    assert 0.05 < log["terminated"].mean() < 0.25
    assert len(set(log["pupil_id"][is_first])) == is_first.sum()


def test_graduates_make_room_for_new_pupils(log: dict[str, Any]) -> None:
    """A place has its four, three or two rows whoever sits there; the term's last row ends every episode."""
    term_ends = np.tile([3, 6, 8], ROWS // 9) + np.repeat(9 * np.arange(ROWS // 9), 3)
    assert (log["terminated"] | log["truncated"])[term_ends].all()
    assert not log["truncated"][np.setdiff1d(np.arange(ROWS), term_ends)].any()


def test_later_steps_show_what_courses_changed(log: dict[str, Any]) -> None:
    """Skill rises only after remedial courses and practice, reasoning after advanced ones, traits never change."""
    goes_on = ~(log["terminated"] | log["truncated"])[:-1]
    course = log["course"][:-1][goes_on]
    change = {name: (log[name][1:] - log[name][:-1])[goes_on] for name in ("skill", "reasoning", "care", "diligence")}
    assert set(course[change["skill"] > 0]) == {"remedial", "practice"}
    assert set(course[change["reasoning"] > 0]) == {"advance"}
    assert (change["skill"] > 0).mean() > 0.1
    assert not change["care"].any()
    assert not change["diligence"].any()


def test_labels_and_gains_follow_what_is_true(log: dict[str, Any]) -> None:
    """Mastery happens as often as its chance says; scores and gains scatter around what is expected."""
    chance = log["mastered_probability"]
    error = 4 * np.sqrt((chance * (1 - chance)).mean() / ROWS)
    assert log["mastered"].mean() == pytest.approx(chance.mean(), abs=error)
    score = log["next_score"] - log["next_score_expected"]
    assert score.std() == pytest.approx(SCORE_NOISE, rel=4 / np.sqrt(2 * ROWS))
    noise = log["gain"] - log["log"].reward
    assert noise.std() == pytest.approx(courses.REWARD_NOISE, rel=4 / np.sqrt(2 * ROWS))
    expected = np.array([log[f"gain_{name}"][row] for row, name in enumerate(log["course"])])
    surprise = log["gain"] - expected
    assert surprise.mean() == pytest.approx(0, abs=4 * surprise.std() / np.sqrt(ROWS))


def test_propensities_are_those_of_the_draws(log: dict[str, Any]) -> None:
    """At least 0.07; and inverse weights of each course sum to the number of rows where it is allowed."""
    assert log["propensity"].min() >= 0.07
    for index, name in enumerate(COURSES):
        weights = np.where(log["course"] == name, 1 / log["propensity"], 0)
        allowed = log["log"].sight.allowed[:, index]
        assert weights.sum() == pytest.approx(allowed.sum(), abs=4 * weights.std() * np.sqrt(ROWS))
