"""Logged decisions seen by a policy that is to be judged, alone or in episodes; free of torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Bool, Int64

Float64 = npt.NDArray[np.float64]


class Places(NamedTuple):
    """Where rows stand in their episodes."""

    episode: Int64
    """`[n]` number of the row's episode, in the order of their first rows."""
    step: Int64
    """`[n]` decisions before this one."""
    starts: Int64
    """`[e]` first row of every episode."""


class Behaviour(NamedTuple):
    """How actions were drawn, as models of the log see it."""

    probabilities: Float64
    """`[n, A]`"""
    part: Int64
    """`[n]` rows of one part have one model, learned from other groups than theirs."""

    def take(self, rows: Int64) -> Behaviour:
        """The rows of these numbers."""
        return Behaviour(self.probabilities[rows], self.part[rows])


@dataclass(frozen=True)
class Logged:
    """One decision per row, with what the judged policy would have done there.

    With `following`, decisions are links of episodes and a value is the mean discounted return of an episode; without,
    every row is an episode of one decision and a value is a mean reward.
    """

    action: Int64
    """`[n]` index of the action taken."""
    reward: Float64
    """`[n]` what came of it."""
    propensity: Float64
    """`[n]` probability with which it was taken; NaN where the log does not say."""
    policy: Float64
    """`[n, A]` probability of every action under the judged policy; rows sum to 1."""
    groups: pa.Array
    """`[n]` customer, patient or episode: rows of one group are not independent; an episode lies in one."""
    allowed: Bool
    """`[n, A]` actions that could have been taken."""
    model: Float64 | None = None
    """`[n, A]` what a model expects of each action, the judged policy deciding from then on; learned from other groups
    than the row's."""
    behaviour: Behaviour | None = None
    """How actions were drawn, as models of the log see it."""
    following: Int64 | None = None
    """`[n]` row of the episode's next decision, −1 at its last."""
    complete: Bool | None = None
    """`[n]` False at the last row of an episode that was cut off there: what would have followed is not known."""
    gamma: float = 0.0
    """What a reward one decision later is worth."""

    def __len__(self) -> int:
        return len(self.action)

    @cached_property
    def places(self) -> Places:
        """Where rows stand in their episodes."""
        rows = len(self)
        if self.following is None:
            return Places(np.arange(rows), np.zeros(rows, np.int64), np.arange(rows))
        leads = np.zeros(rows, np.bool_)
        leads[self.following[self.following >= 0]] = True
        starts = np.flatnonzero(~leads)
        episode, step = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        episode[starts] = np.arange(len(starts))
        for before, after in self._links(starts):
            episode[after], step[after] = episode[before], step[before] + 1
        return Places(episode, step, starts)

    def _links(self, starts: Int64) -> list[tuple[Int64, Int64]]:
        """Rows and those that follow them: of all first decisions, then of all second ones …"""
        links, rows = [], starts
        while self.following is not None and len(rows):
            going = rows[self.following[rows] >= 0]
            rows = self.following[going]
            links.append((going, rows))
        return links

    @property
    def episode_groups(self) -> pa.Array:
        """`[e]` the group of every episode."""
        return self.groups if self.following is None else self.groups.take(pa.array(self.places.starts))

    def per_episode(self, rows: Float64) -> Float64:
        """`[e]` sums of `[n]`."""
        sums: Float64 = np.bincount(self.places.episode, rows, len(self.places.starts)).astype(np.float64, copy=False)
        return sums

    @property
    def barred(self) -> Bool:
        """`[n]` where the action taken was not allowed."""
        barred: Bool = ~self.allowed[np.arange(len(self)), self.action]
        return barred

    @property
    def discount(self) -> Float64:
        """`[n]` γ^t."""
        discount: Float64 = self.gamma ** self.places.step.astype(np.float64)
        return discount

    @property
    def returns(self) -> Float64:
        """`[e]` Σ_t γ^t r_t of the log, up to where it ends or was cut off."""
        return self.per_episode(self.discount * self.reward)

    @property
    def weights(self) -> Float64:
        """`[n]` w = π(a|x) / b(a|x)."""
        weights: Float64 = self.taken(self.policy) / self.propensity
        return weights

    @cached_property
    def products(self) -> Float64:
        """`[n]` ρ_t = w_0 · … · w_t: how much likelier the judged policy comes to do what was done so far."""
        products = self.weights.copy()
        for before, after in self._links(self.places.starts):
            products[after] *= products[before]
        return products

    @property
    def ends(self) -> Int64:
        """`[e]` last row of every episode."""
        if self.following is None:
            return self.places.starts
        last = np.flatnonzero(self.following < 0)
        ends: Int64 = last[np.argsort(self.places.episode[last])]
        return ends

    @property
    def expected(self) -> Float64:
        """`[n]` V(x) = Σ_a π(a|x) q̂(x, a)."""
        assert self.model is not None
        value: Float64 = (self.policy * self.model).sum(axis=1)
        return value

    @property
    def residual(self) -> Float64:
        """`[n]` r + γ V(x') − q̂(x, a), x' being what followed; 0 where that was cut off."""
        assert self.model is not None
        target = self.reward
        if self.following is not None:
            target = target + self.gamma * np.where(self.following >= 0, self.expected[self.following], 0.0)
        residual = target - self.taken(self.model)
        return residual if self.complete is None else np.where(self.complete, residual, 0.0)

    def taken(self, values: Float64) -> Float64:
        """`[n]` of `[n, A]`: of the actions that were taken."""
        taken: Float64 = np.take_along_axis(values, self.action[:, None], axis=1)[:, 0]
        return taken

    def take(self, rows: Int64) -> Logged:
        """The rows of these numbers; of episodes, all of each or what goes before a row that is left out."""

        def picked(values: npt.NDArray[np.generic] | None) -> npt.NDArray[np.generic] | None:
            return None if values is None else values[rows]

        following = self.following
        if following is not None:
            place = np.full(len(self) + 1, -1)  # the last one is for following = −1
            place[rows] = np.arange(len(rows))
            following = place[following[rows]]
        named = ("action", "reward", "propensity", "policy", "allowed", "model", "complete")
        chosen: dict[str, Any] = {name: picked(getattr(self, name)) for name in named}
        behaviour = None if self.behaviour is None else self.behaviour.take(rows)
        groups = self.groups.take(pa.array(rows))
        return replace(self, **chosen, following=following, behaviour=behaviour, groups=groups)
