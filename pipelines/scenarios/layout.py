"""Which files and row groups a data set has, and which subject stands in which row; all in closed form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np

from pipelines.scenarios.streams import Ints, Stream, uniforms

MOST_GROUP_ROWS = 500
FILE_GROUPS = 5  # row groups of a file: 2,500 rows, so 100,000 rows are 40 files
LAST_NIGHT = date(2026, 11, 23)
_DAY = 86_400_000_000  # microseconds
NEW_EVERY = 5  # each night every fifth row is a subject of that night alone; the others come every night


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


def partitions(rows: int, history: int, nights: int) -> list[Partition]:
    """The history, then the nights; the last one is always 2026-11-23."""
    days = [LAST_NIGHT - timedelta(days=nights - 1 - n) for n in range(nights)]
    first = days[0] if days else LAST_NIGHT
    nightly = [Partition(f"date={day}", 1 + n, rows, day) for n, day in enumerate(days)]
    return [Partition("history", 0, history, first), *nightly]


@dataclass(frozen=True)
class Rows:
    """Who stands in some rows, and since when they have had their values; all int64 `[n]`."""

    subject: Ints
    occasion: Ints
    since: Mapping[str, Ints]
    """Modality -> the occasion at which its value was new; a modality that is not here is new every time."""
    step: Ints
    """Of the subject's episode, or the night's number."""
    last: Ints
    """1 where the row is the subject's last one in the history."""

    def since_of(self, modality: str) -> Ints:
        """The occasion `[n]` at which the modality's value was new."""
        return self.since.get(modality, self.occasion)


@dataclass(frozen=True)
class Layout:
    """How subjects follow each other: episodes in the history, the same subjects again and again in the nights."""

    episodes: tuple[int, ...]
    """Steps of so many subjects in a row of the history; then it repeats."""
    prefix: str
    """Of the keys."""
    changes: Mapping[str, float] = field(default_factory=dict)
    """Modality -> probability that a subject has a new value since the last occasion; 1 where it is not named."""
    fresh_in_history: frozenset[str] = frozenset()
    """Of those, the ones that are new at every step of the history all the same."""
    days_between: int = 30
    """Between two steps of an episode."""

    @property
    def block_rows(self) -> int:
        """Rows of one round of `episodes`; no row group of the history ends within one."""
        return sum(self.episodes)

    @cached_property
    def _places(self) -> tuple[Ints, Ints]:
        """Subject and step `[block_rows]` in one round."""
        steps = np.concatenate([np.arange(n) for n in self.episodes])
        return np.repeat(np.arange(len(self.episodes)), self.episodes), steps

    @property
    def first_night(self) -> int:
        """The occasion of the first night: after the longest episode's steps."""
        return max(self.episodes)

    def files(self, partition: Partition) -> list[FilePlan]:
        """The partition's files: two at least (with two row groups each) unless there are very few rows."""
        blocks = -(-partition.rows // self.block_rows)
        most = self.block_rows * max(1, MOST_GROUP_ROWS // self.block_rows)
        group_rows = min(most, self.block_rows * -(-blocks // 4))
        groups = -(-partition.rows // group_rows)
        count = min(groups, max(2, -(-groups // FILE_GROUPS)))
        starts = [min(group_rows * (groups * i // count), partition.rows) for i in range(count)]
        bounds = zip(starts, [*starts[1:], partition.rows], strict=True)
        return [FilePlan(partition, f"part-{i:05d}.parquet", *bound, group_rows) for i, bound in enumerate(bounds)]

    def rows(self, seed: int, partition: Partition, numbers: Ints) -> Rows:
        """Subjects and occasions of the given rows (int64 `[n]`) of a partition."""
        subject, step = self._history(numbers) if partition.is_history else _night(partition, numbers)
        base = 0 if partition.is_history else self.first_night
        since = self._unchanged_since(seed, subject, base, step)
        if partition.is_history:
            since = {name: step if name in self.fresh_in_history else steps for name, steps in since.items()}
        next_is_same = (numbers + 1 < partition.rows) & (self._history(numbers + 1)[0] == subject)
        return Rows(
            subject=subject,
            occasion=base + step,
            since={name: base + steps for name, steps in since.items()},
            step=step,
            last=(~next_is_same).astype(np.int64),
        )

    def _history(self, numbers: Ints) -> tuple[Ints, Ints]:
        subjects, steps = self._places
        block, place = np.divmod(numbers, self.block_rows)
        return block * len(self.episodes) + subjects[place], steps[place]

    def _unchanged_since(self, seed: int, subject: Ints, base: int, step: Ints) -> dict[str, Ints]:
        """The last step up to `step` at which each changing modality (`[n]`) was new; step 0 always is."""
        count, kinds = int(step.max(initial=0)) + 1, len(self.changes)
        keys = np.stack([subject, np.full_like(subject, base)], axis=1)
        draws = uniforms(seed, Stream.CHANGES, keys, kinds * count).reshape(-1, count, kinds)
        is_new = draws < list(self.changes.values())
        is_new[:, 0] = True
        steps = np.arange(count)[None, :, None]
        since = np.where(is_new & (steps <= step[:, None, None]), steps, 0).max(axis=1)  # [n, kinds]
        return dict(zip(self.changes, since.T, strict=True))

    def keys(self, subject: Ints) -> list[str]:
        """Keys that look like keys: a bijection of subject numbers, so that neighbours do not share a prefix."""
        # 48,271 generates the multiplicative group of minstd; 99,999,989 is the largest prime of eight digits.
        return [f"{self.prefix}{n * 48271 % 99999989:08d}" for n in (subject + 1).tolist()]

    def event_times(self, rows: Rows, partition: Partition, moments: Ints) -> Ints:
        """Microseconds since 1970 (int64 `[n]`): a moment (µs in the day, `[n]`) of the night or the step's day."""
        steps_before = self.first_night - rows.step if partition.is_history else 0
        return midnight(partition.day) - _DAY * np.asarray(self.days_between * steps_before) + moments


def midnight(day: date) -> int:
    """Microseconds from 1970 to the beginning of a UTC day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _night(partition: Partition, numbers: Ints) -> tuple[Ints, Ints]:
    is_new = numbers % NEW_EVERY == NEW_EVERY - 1
    subject = np.where(is_new, numbers + partition.number * partition.rows, numbers)
    return subject, np.full_like(numbers, partition.number - 1)
