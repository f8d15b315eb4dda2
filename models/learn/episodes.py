"""Which logged decisions follow each other, and what a decision led to: pure functions of arrays; free of torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.arrow import Bool, Int64, valid_mask
from models.errors import ConfigError
from models.heads._policy import Float64


class Order(NamedTuple):
    """How logged rows are put into episodes."""

    rows: Int64
    """`[N]` numbers of the log's rows, those of an episode together and in the order of its steps."""
    episode: Int64
    """`[N]` number of each row's episode, in that order: ascending from 0."""
    following: Int64
    """`[N]` place of the next step, in that order; −1 at an episode's last row."""


def order_of(episodes: pa.Array | None, steps: pa.Array | None, rows: int) -> Order:
    """Episodes in the order in which the log first names them; a row without an episode is one of its own.

    Args:
        episodes: `[N]` name of each row's episode; none: every row is an episode of its own.
        steps: `[N]` anything that can be ordered (a number, a time).
        rows: N.

    Raises:
        ConfigError: a step is missing, or stands twice in an episode.
    """
    if episodes is None or steps is None:
        return Order(np.arange(rows), np.arange(rows), np.full(rows, -1))
    known = valid_mask(episodes)
    codes: Int64 = np.arange(rows) + len(pc.unique(episodes))
    codes[known] = episodes.filter(pa.array(known)).dictionary_encode().indices.to_numpy().astype(np.int64)
    if bool((known & ~valid_mask(steps)).any()):
        raise ConfigError("step must stand in every row that has an episode; got null")
    ranks = pc.rank(steps, sort_keys="ascending", tiebreaker="dense").to_numpy().astype(np.int64)
    order: Int64 = np.lexsort((ranks, codes))
    same = codes[order][1:] == codes[order][:-1]
    twice = np.flatnonzero(same & (ranks[order][1:] == ranks[order][:-1]))
    if len(twice):
        row = int(order[twice[0]])
        raise ConfigError(
            f"step must order the decisions of an episode; got {steps[row].as_py()!r} twice in episode "
            f"{episodes[row].as_py()!r}"
        )
    return Order(order, np.cumsum(np.concatenate([[0], ~same]))[:rows], _linked(same, rows))


def _linked(same: Bool, rows: int) -> Int64:
    following = np.full(rows, -1)
    following[:-1][same] = np.flatnonzero(same) + 1
    return following


def backwards(following: Int64) -> Iterator[Int64]:
    """Row numbers: all last rows of episodes first, then all rows before them, and so on."""
    previous = np.full(len(following), -1)
    followed = np.flatnonzero(following >= 0)
    previous[following[followed]] = followed
    rows = np.flatnonzero(following < 0)
    while len(rows):
        yield rows
        rows = previous[rows]
        rows = rows[rows >= 0]


def returns_to_go(reward: Float64, following: Int64, gamma: float) -> Float64:
    """`[N]` G_t = r_t + γ G_{t+1} of the log, up to where the episode ended or was cut off; unknown rewards count 0."""
    total = np.nan_to_num(reward)
    if gamma:
        for rows in backwards(following):
            total[rows] += gamma * _at(total, following[rows])
    return total


class Backup(NamedTuple):
    """What a row's value is learned from: `reward` + `discount` · V(row `state`)."""

    reward: Float64
    """`[N]` Σ_{k < m} γ^k r_{t+k}."""
    state: Int64
    """`[N]` row t + m, from which on values are estimated; −1 where the episode ended before."""
    discount: Float64
    """`[N]` γ^m, 0 where `state` is −1."""
    learnable: Bool
    """`[N]` False where the reward is not known, or what followed was cut off and has no row."""


def backups(reward: Float64, following: Int64, terminated: Bool, gamma: float, steps: int = 1) -> Backup:
    """What each row's value is learned from, over at most `steps` rewards.

    Fewer are added up where the episode ends, where a reward is not known, or where the log is cut off: the last row of
    an episode that was cut off still is a state, from which values can be estimated. That row itself has no backup.
    """
    known = ~np.isnan(reward)
    total, state = np.zeros(len(reward)), np.arange(len(reward))
    discount = np.ones(len(reward))
    for _ in range(steps if gamma else 1):
        at = np.maximum(state, 0)
        goes_on = (state >= 0) & known[at] & (terminated[at] | (following[at] >= 0) | (gamma == 0))
        total = np.where(goes_on, total + discount * np.nan_to_num(reward[at]), total)
        discount = np.where(goes_on, discount * gamma, discount)
        state = np.where(goes_on, np.where(terminated[at], -1, following[at]), state)
    learnable = state != np.arange(len(reward))
    if not gamma:
        state = np.full(len(reward), -1)
    return Backup(total, state, np.where(state >= 0, discount, 0.0), learnable)


def _at(values: Float64, rows: Int64) -> Float64:
    """`values[rows]`, 0 where the row is −1."""
    return np.where(rows >= 0, values[np.maximum(rows, 0)], 0.0)
