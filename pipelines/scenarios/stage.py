"""Scenarios in which every occasion stands for itself: who comes, what is hidden, shown and absent, what may happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from models.schema import TIMESTAMP
from pipelines.scenarios.gaps import Gaps
from pipelines.scenarios.layout import LAST_NIGHT, Layout, Partition, Rows, midnight
from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, generator
from pipelines.scenarios.values import Draw, encoded, rngs
from pipelines.scenarios.world import World

_DAY = 86_400_000_000  # microseconds
_UNIFORM, _NORMAL = 3, 2  # how many of a stage's chances are drawn so

Allow = Callable[[Mapping[str, Floats], Mapping[str, Bools]], Bools]
"""From what modalities show and which are present to `[n, A]` what may be decided."""


@dataclass(frozen=True)
class Stage:
    """A world whose subjects come on occasions, and a decision at each of them."""

    key: str
    """Column with the key."""
    world: World
    gaps: Gaps
    layout: Layout
    allowed: Allow
    chances: tuple[str, str, str, str, str]
    """Names of draws: three uniform ones, the first for the moment of the day, and two normal ones."""

    def situation(self, seed: int, partition: Partition, numbers: Ints) -> Situation:
        """Who stands in the given rows (`[n]`) of a partition, what they hide, show and leave out."""
        who = self.layout.rows(seed, partition, numbers)
        now = self._situation(seed, who, np.zeros_like(numbers))
        moments = (now.chance[self.chances[0]] * _DAY).astype(np.int64)
        return replace(now, times=self.layout.event_times(who, partition, moments))

    def first(self, seed: int, subjects: Ints) -> Situation:
        """These subjects (`[n]`), each on its first occasion, in the last night."""
        none = np.zeros_like(subjects)
        who = Rows(subjects, none, dict.fromkeys(self.layout.changes, none), none, none + 1)
        return self._situation(seed, who, np.full_like(subjects, midnight(LAST_NIGHT)))

    def _situation(self, seed: int, who: Rows, times: Ints) -> Situation:
        keys = zip(who.subject.tolist(), who.occasion.tolist(), strict=True)
        each = [generator(seed, Stream.OUTCOMES, *key) for key in keys]
        uniform = np.array([rng.random(_UNIFORM) for rng in each])
        normal = np.array([rng.standard_normal(_NORMAL) for rng in each])
        hidden = self.world.latents(seed, who.subject, who.occasion)
        views = {name: self._view(seed, who, name, hidden) for name in self.world.modalities}
        return Situation(
            stage=self,
            seed=seed,
            who=who,
            times=times,
            hidden=hidden,
            shown={name: self.world.standardized(name, view) for name, view in views.items()},
            present=self.gaps.present(seed, who.subject, who.occasion),
            chance=dict(zip(self.chances, (*uniform.T, *normal.T), strict=True)),
        )

    def _view(self, seed: int, who: Rows, modality: str, hidden: Floats) -> Floats:
        """What the modality shows of the occasion at which its value was new; `hidden` are the latents of today."""
        since = who.since_of(modality)
        if not np.array_equal(since, who.occasion):
            hidden = self.world.latents(seed, who.subject, since)
        return self.world.view(seed, modality, who.subject, since, hidden)


@dataclass(frozen=True)
class Situation:
    """All that is decided about some rows before anything is drawn or recorded."""

    stage: Stage
    seed: int
    who: Rows
    times: Ints
    """`[n]` microseconds since 1970."""
    hidden: Floats
    """`[n, L]` latents."""
    shown: Mapping[str, Floats]
    """Modality -> `[n, k]` standardized view."""
    present: Mapping[str, Bools]
    """Modality -> `[n]`."""
    chance: Mapping[str, Floats]
    """Name -> `[n]` draws of what happens (`Stage.chances`)."""

    @property
    def allowed(self) -> Bools:
        """`[n, A]` what may be decided."""
        return self.stage.allowed(self.shown, self.present)

    def head(self) -> dict[str, pa.Array]:
        """Key and event time."""
        keys = self.stage.layout.keys(self.who.subject)
        return {self.stage.key: pa.array(keys), "event_time": pa.array(self.times).cast(TIMESTAMP)}

    def rngs(self, modality: str) -> list[np.random.Generator]:
        """One per row, for drawing a modality that is new on every occasion."""
        return rngs(self.seed, self.stage.world, modality, self.who.subject, self.who.occasion)

    def drawn(self, modality: str, draw: Draw) -> list[bytes | None]:
        """One encoded value per row, as it was when it was new."""
        since = self.who.since_of(modality)
        each = rngs(self.seed, self.stage.world, modality, self.who.subject, since)
        return encoded(draw, each, self.shown[modality], self.present[modality])

    def latents(self) -> dict[str, pa.Array]:
        """Latent -> its values, which no pipeline may read."""
        return {name: pa.array(values) for name, values in zip(self.stage.world.names, self.hidden.T, strict=True)}

    def is_new(self) -> dict[str, pa.Array]:
        """`<modality>_is_new`, for those that subjects do not renew on every occasion."""
        changes = self.stage.layout.changes
        return {f"{m}_is_new": pa.array(self.who.since_of(m) == self.who.occasion) for m in changes}
