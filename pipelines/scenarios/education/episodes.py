"""Pupils whose courses somebody else chooses: what any policy is worth is found by letting it choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.scenarios.base import Acted
from pipelines.scenarios.education import pupils, rows
from pipelines.scenarios.education.pupils import Pupils, Sight
from pipelines.scenarios.layout import LAST_NIGHT, midnight
from pipelines.scenarios.streams import Bools, Ints

MOST_COURSES = 30  # 0.9^30 = 0.04: hardly anything is lost of who has not graduated by then


@dataclass(frozen=True)
class Terms:
    """Pupils who go on from term to term until they graduate, or have taken MOST_COURSES courses."""

    seed: int
    pupils: Pupils
    sight: Sight

    def records(self) -> pa.RecordBatch:
        """What may be seen now, with the columns of a night's row."""
        times = np.full_like(self.pupils.pupil, midnight(LAST_NIGHT))
        return pa.record_batch(rows.record(self.seed, self.pupils, self.sight, times))

    def allowed(self) -> Bools:
        """`[n, 4]`"""
        return self.sight.allowed

    def act(self, action: Ints) -> Acted:
        """One course each; who has not graduated goes on."""
        now = self.pupils
        taken = pupils.after(self.seed, now, action)
        goes_on: Bools = ~taken.graduates & (now.occasion + 1 < MOST_COURSES)
        following = Pupils(now.pupil[goes_on], now.occasion[goes_on] + 1, {}, taken.state[goes_on])
        return Acted(taken.reward, goes_on, Terms(self.seed, following, pupils.seen(self.seed, following)))


def begin(seed: int, subjects: Ints) -> Terms:
    """These pupils (`[n]`) before their first course."""
    now = pupils.new(seed, subjects)
    return Terms(seed, now, pupils.seen(seed, now))
