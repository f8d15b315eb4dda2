"""Which files and row groups a data set has, and which customer stands in which row; all in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from pipelines.scenarios.streams import Ints, Stream, uniforms

GROUP_ROWS = 500  # rows of a row group; a multiple of EPISODE_ROWS, so that no episode is cut in two
FILE_GROUPS = 5  # row groups of a file: 2,500 rows, so 100,000 rows are 40 files
LAST_NIGHT = date(2026, 11, 23)

EPISODES = np.array([2, 3, 1, 4, 2, 3, 4, 1, 3, 2])  # steps of ten customers in a row; then it repeats
EPISODE_ROWS = int(EPISODES.sum())
_CUSTOMER_OF = np.repeat(np.arange(len(EPISODES)), EPISODES)  # [25]
_STEP_OF = np.concatenate([np.arange(n) for n in EPISODES])  # [25]

NEW_EVERY = 5  # each night every fifth row is a customer of that night alone; the others come every night
NIGHT_OCCASION = int(EPISODES.max())  # occasions 0 to 3 are steps of the history, then come the nights
PHOTO_CHANGE, REVIEW_CHANGE = 0.25, 0.4  # probability that a customer has a new one since the last occasion


@dataclass(frozen=True)
class Partition:
    """The history, or one night."""

    name: str
    """Its folder below `data/`: `history` or `date=YYYY-MM-DD`."""
    number: int
    """0 is the history, 1 + n the n-th night."""
    rows: int
    day: date
    """The night's date; for the history the first night's."""

    @property
    def is_history(self) -> bool:
        """Whether this partition carries labels and logged decisions."""
        return self.number == 0


@dataclass(frozen=True)
class FilePlan:
    """One file: rows `start` to `stop` of its partition, in row groups of `group_rows`."""

    partition: Partition
    name: str
    start: int
    stop: int
    group_rows: int

    def groups(self) -> Iterator[Ints]:
        """The row numbers (in the partition) of each row group, in order."""
        for start in range(self.start, self.stop, self.group_rows):
            yield np.arange(start, min(start + self.group_rows, self.stop))


@dataclass(frozen=True)
class Visitors:
    """Who stands in some rows, and since when they have had their photo and review; all int64 `[n]`."""

    customer: Ints
    occasion: Ints
    photo_occasion: Ints
    review_occasion: Ints
    step: Ints
    last: Ints
    """1 where the row is the customer's last one in the history."""


def partitions(rows: int, history: int, nights: int) -> list[Partition]:
    """The history, then the nights; the last one is always 2026-11-23."""
    days = [LAST_NIGHT - timedelta(days=nights - 1 - n) for n in range(nights)]
    first = days[0] if days else LAST_NIGHT
    nightly = [Partition(f"date={day}", 1 + n, rows, day) for n, day in enumerate(days)]
    return [Partition("history", 0, history, first), *nightly]


def files(partition: Partition) -> list[FilePlan]:
    """The partition's files: two at least (with two row groups each) unless there are very few rows."""
    blocks = -(-partition.rows // EPISODE_ROWS)
    group_rows = min(GROUP_ROWS, EPISODE_ROWS * -(-blocks // 4))
    groups = -(-partition.rows // group_rows)
    count = min(groups, max(2, -(-groups // FILE_GROUPS)))
    bounds = [min(group_rows * (groups * i // count), partition.rows) for i in range(count)] + [partition.rows]
    return [FilePlan(partition, f"part-{i:05d}.parquet", bounds[i], bounds[i + 1], group_rows) for i in range(count)]


def visitors(seed: int, partition: Partition, rows: Ints) -> Visitors:
    """Customers and occasions of the given rows (int64 `[n]`) of a partition."""
    customer, step = (_history if partition.is_history else _night)(partition, rows)
    base = 0 if partition.is_history else NIGHT_OCCASION
    photo, review = _unchanged_since(seed, customer, base, step)
    next_is_same = (rows + 1 < partition.rows) & (_history(partition, rows + 1)[0] == customer)
    return Visitors(
        customer=customer,
        occasion=base + step,
        photo_occasion=base + photo,
        review_occasion=base + (step if partition.is_history else review),  # a label goes with a fresh review
        step=step,
        last=(~next_is_same).astype(np.int64),
    )


def _history(_: Partition, rows: Ints) -> tuple[Ints, Ints]:
    block, place = np.divmod(rows, EPISODE_ROWS)
    return block * len(EPISODES) + _CUSTOMER_OF[place], _STEP_OF[place]


def _night(partition: Partition, rows: Ints) -> tuple[Ints, Ints]:
    is_new = rows % NEW_EVERY == NEW_EVERY - 1
    return np.where(is_new, rows + partition.number * partition.rows, rows), np.full_like(rows, partition.number - 1)


def _unchanged_since(seed: int, customer: Ints, base: int, step: Ints) -> tuple[Ints, Ints]:
    """The last step up to `step` at which photo and review (each `[n]`) were new; step 0 always is."""
    count = int(step.max(initial=0)) + 1
    keys = np.stack([customer, np.full_like(customer, base)], axis=1)
    draws = uniforms(seed, Stream.CHANGES, keys, 2 * count).reshape(-1, count, 2)
    is_new = draws < [PHOTO_CHANGE, REVIEW_CHANGE]
    is_new[:, 0] = True
    steps = np.arange(count)[None, :, None]
    since = np.where(is_new & (steps <= step[:, None, None]), steps, 0).max(axis=1)  # [n, 2]
    return since[:, 0], since[:, 1]


def customer_ids(customer: Ints) -> list[str]:
    """Keys that look like keys: a bijection of customer numbers, so that neighbours do not share a prefix."""
    # 48,271 generates the multiplicative group of minstd; 99,999,989 is the largest prime of eight digits.
    return [f"c{n * 48271 % 99999989:08d}" for n in (customer + 1).tolist()]


def event_times(visitors_: Visitors, partition: Partition, moments: Ints) -> Ints:
    """Microseconds since 1970 (int64 `[n]`): a moment (µs in the day, `[n]`) of the night, or 30 days between steps."""
    midnight = int(datetime(partition.day.year, partition.day.month, partition.day.day, tzinfo=UTC).timestamp())
    days_before = 30 * (NIGHT_OCCASION - visitors_.step) if partition.is_history else 0
    return (midnight - 86_400 * np.asarray(days_before)) * 1_000_000 + moments
