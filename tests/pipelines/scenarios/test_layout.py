"""Files, row groups and customers of a data set."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.layout import Layout, partitions

LAYOUT = Layout((2, 3, 1, 4, 2, 3, 4, 1, 3, 2), "c", {"photo": 0.25, "review": 0.4})


@pytest.mark.parametrize(
    ("rows", "count"),
    # 100,000 rows are 200 groups of 500, five to a file; 2,000 are four groups in at least two files.
    [(1, 1), (2_000, 2), (20_000, 8), (100_000, 40)],
)
def test_number_of_files(rows: int, count: int) -> None:
    """A partition has one file per 2,500 rows, and two at least where it can."""
    assert len(LAYOUT.files(partitions(rows, rows, 1)[0])) == count


@pytest.mark.parametrize("rows", [1, 26, 100, 2_000, 7_777])
def test_every_row_stands_in_one_group(rows: int) -> None:
    """The row groups of all files, one after the other, are the rows of the partition."""
    plans = LAYOUT.files(partitions(rows, rows, 1)[1])
    numbers = [group for plan in plans for group in plan.groups()]
    assert np.concatenate(numbers).tolist() == list(range(rows))


@pytest.mark.parametrize("rows", [100, 2_000, 20_000])
def test_several_groups_of_bounded_size(rows: int) -> None:
    """Each file has several row groups, none above 500 rows, and none cuts an episode of the history."""
    for plan in LAYOUT.files(partitions(rows, rows, 1)[0]):
        groups = list(plan.groups())
        assert len(groups) >= 2
        assert all(len(group) <= 500 and group[0] % LAYOUT.block_rows == 0 for group in groups)


def test_keys_are_unique_within_a_night() -> None:
    """No two rows of a night share a customer."""
    who = LAYOUT.rows(0, partitions(5_000, 5_000, 3)[2], np.arange(5_000))
    assert len(set(LAYOUT.keys(who.subject))) == 5_000


def test_most_customers_come_every_night() -> None:
    """Four out of five customers of a night come the next night too."""
    _, first, second, _ = partitions(1_000, 1_000, 3)
    both = [set(LAYOUT.keys(LAYOUT.rows(0, night, np.arange(1_000)).subject)) for night in (first, second)]
    assert len(both[0] & both[1]) == 800


def test_photos_stay_for_most_from_night_to_night() -> None:
    """Between two nights a quarter of the photos and two fifths of the reviews are new."""
    who = LAYOUT.rows(0, partitions(2_000, 1, 2)[2], np.arange(2_000))
    regular = np.arange(2_000) % 5 != 4
    new_photo = (who.since["photo"] == who.occasion)[regular].mean()
    new_review = (who.since["review"] == who.occasion)[regular].mean()
    # 1,600 draws: three standard errors are 0.033 and 0.037.
    assert new_photo == pytest.approx(0.25, abs=0.033)
    assert new_review == pytest.approx(0.4, abs=0.037)


def test_episodes_have_one_to_four_steps_and_one_end() -> None:
    """In the history each customer's steps count up from 0, and only the last row is the end."""
    who = LAYOUT.rows(0, partitions(1, 250, 1)[0], np.arange(250))
    for customer in np.unique(who.subject):
        steps, last = who.step[who.subject == customer], who.last[who.subject == customer]
        assert steps.tolist() == list(range(len(steps)))
        assert 1 <= len(steps) <= 4
        assert last.tolist() == [0] * (len(steps) - 1) + [1]
