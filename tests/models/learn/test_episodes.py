"""Episodes: order, what a decision led to, and what its value is learned from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.errors import ConfigError
from models.learn.episodes import backups, backwards, order_of, returns_to_go

NAN = float("nan")


def test_episodes_are_put_together_in_the_order_of_their_steps() -> None:
    """Rows b1 a2 b0 a0 a1: episode b is named first, so it comes first; each by its steps."""
    order = order_of(pa.array(["b", "a", "b", "a", "a"]), pa.array([1, 2, 0, 0, 1]), 5)
    assert order.rows.tolist() == [2, 0, 3, 4, 1]
    assert order.episode.tolist() == [0, 0, 1, 1, 1]
    assert order.following.tolist() == [1, -1, 3, 4, -1]


def test_rows_without_an_episode_stand_alone() -> None:
    """A null episode is no episode that several rows share; its step may be null too."""
    order = order_of(pa.array(["a", None, "a", None]), pa.array([0, None, 1, None]), 4)
    assert order.rows.tolist() == [0, 2, 1, 3]
    assert order.following.tolist() == [1, -1, -1, -1]
    assert order.episode.tolist() == [0, 0, 1, 2]


def test_without_episodes_nothing_follows() -> None:
    """Every row is an episode of its own, in the log's order."""
    order = order_of(None, None, 3)
    assert (order.rows.tolist(), order.episode.tolist()) == ([0, 1, 2], [0, 1, 2])
    assert order.following.tolist() == [-1, -1, -1]


def test_an_empty_log_has_no_episodes() -> None:
    """No row, no order."""
    order = order_of(pa.array([], pa.string()), pa.array([], pa.int64()), 0)
    assert [len(part) for part in order] == [0, 0, 0]


def test_a_step_that_stands_twice_is_refused() -> None:
    """Which of the two comes first is not known."""
    with pytest.raises(ConfigError, match="got 1 twice in episode 'a'"):
        order_of(pa.array(["a", "a", "b"]), pa.array([1, 1, 1]), 3)


def test_a_missing_step_is_refused() -> None:
    """An episode's row must say when it was."""
    with pytest.raises(ConfigError, match="step must stand in every row"):
        order_of(pa.array(["a", "a"]), pa.array([1, None]), 2)


def test_backwards_goes_from_the_last_rows_to_the_first() -> None:
    """Episodes 0-1-2 and 3-4: the last rows, those before, the one before that."""
    assert [rows.tolist() for rows in backwards(np.array([1, 2, -1, 4, -1]))] == [[2, 4], [1, 3], [0]]


def test_returns_are_discounted_sums_of_what_followed() -> None:
    """γ = 1/2 on rewards 1, 2, 4: 4; 2 + 4/2 = 4; 1 + 4/2 = 3. A reward that is not known counts 0."""
    following = np.array([1, 2, -1, -1])
    assert returns_to_go(np.array([1.0, 2.0, 4.0, NAN]), following, 0.5).tolist() == [3, 4, 4, 0]
    assert returns_to_go(np.array([1.0, 2.0, 4.0, 8.0]), following, 0.0).tolist() == [1, 2, 4, 8]


def test_an_ended_episode_has_nothing_ahead_of_its_last_row() -> None:
    """γ = 1/2, one step: r + γ V(next); the last row's value is its reward."""
    backup = backups(np.array([1.0, 2.0]), np.array([1, -1]), np.array([False, True]), 0.5)
    assert backup.reward.tolist() == [1, 2]
    assert backup.state.tolist() == [1, -1]
    assert backup.discount.tolist() == [0.5, 0]
    assert backup.learnable.all()


def test_the_last_row_of_a_cut_off_episode_is_not_learned_from() -> None:
    """What followed has no row: neither 0 nor anything else is known of it. As a state it still counts."""
    backup = backups(np.array([1.0, 2.0]), np.array([1, -1]), np.array([False, False]), 0.5)
    assert backup.learnable.tolist() == [True, False]
    assert backup.state[0] == 1


def test_several_rewards_are_added_up() -> None:
    """γ = 1/2, two steps: 1 + 2/2 and γ² V; then 2 + 4/2, ended; then 4, ended."""
    backup = backups(np.array([1.0, 2.0, 4.0]), np.array([1, 2, -1]), np.array([False, False, True]), 0.5, 2)
    assert backup.reward.tolist() == [2, 4, 4]
    assert backup.state.tolist() == [2, -1, -1]
    assert backup.discount.tolist() == [0.25, 0, 0]


def test_several_rewards_stop_where_the_log_does() -> None:
    """Cut off after row 2: rows 0 and 1 are estimated from there, over 2 and 1 rewards; row 2 not at all."""
    backup = backups(np.array([1.0, 2.0, 4.0]), np.array([1, 2, -1]), np.zeros(3, np.bool_), 0.5, 5)
    assert backup.reward[:2].tolist() == [2, 2]
    assert backup.state[:2].tolist() == [2, 2]
    assert backup.discount[:2].tolist() == [0.25, 0.5]
    assert backup.learnable.tolist() == [True, True, False]


def test_a_reward_that_is_not_known_is_not_added() -> None:
    """Row 1's reward is missing: row 0 is estimated from row 1, and row 1 is not learned from."""
    backup = backups(np.array([1.0, NAN, 4.0]), np.array([1, 2, -1]), np.array([False, False, True]), 0.5, 3)
    assert backup.reward.tolist() == [1, 0, 4]
    assert backup.state[0] == 1
    assert backup.learnable.tolist() == [True, False, True]


def test_without_discounting_only_the_reward_counts() -> None:
    """γ = 0: every row is a decision of its own, also the last one of a cut-off episode."""
    backup = backups(np.array([1.0, 2.0]), np.array([1, -1]), np.array([False, False]), 0.0, 3)
    assert backup.reward.tolist() == [1, 2]
    assert backup.state.tolist() == [-1, -1]
    assert backup.learnable.all()
