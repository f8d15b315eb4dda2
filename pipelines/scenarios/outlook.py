"""A class by log odds and a number, both quadratic in normal latents: their best predictors; and what actions bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipelines.scenarios import truth
from pipelines.scenarios.gaps import Gaps
from pipelines.scenarios.quadratic import Quadratic, sigmoid
from pipelines.scenarios.streams import Bools, Floats
from pipelines.scenarios.world import World


@dataclass(frozen=True)
class Outcomes:
    """Subjects, and what became of them."""

    people: truth.Population
    happened: Bools
    amount: Floats


@dataclass(frozen=True)
class Outlook:
    """A world with two heads."""

    world: World
    gaps: Gaps
    event: str
    """Name of the head with two classes."""
    logit: Quadratic
    number: str
    """Name of the head with a number."""
    mean: Quadratic
    noise: float
    """Standard deviation of the number around its mean."""

    def drawn(self, rows: int = truth.POPULATION, seed: int = 0) -> Outcomes:
        """Independent rows of the model that the history's rows follow (each for itself)."""
        rng = truth.population_rng(seed)
        people = truth.draw_population(self.world, self.gaps, rows, rng)
        happened = rng.random(rows) < sigmoid(self.logit(people.latents))
        return Outcomes(people, happened, self.mean(people.latents) + self.noise * rng.standard_normal(rows))

    def scores(self, drawn: Outcomes, modalities: Sequence[str], seed: int = 0) -> truth.Scores:
        """Scores of the Bayes predictors that see these modalities where they are present."""
        rng = truth.population_rng(seed, 1)
        chance, amount = np.empty(len(drawn.amount)), np.empty(len(drawn.amount))
        for rows, known in truth.posteriors(self.world, drawn.people, modalities):
            chance[rows] = truth.probability(self.logit, known, rng)
            amount[rows] = self.mean.expected(known)
        return self._scored(drawn, chance, amount)

    def best(self, drawn: Outcomes) -> dict[str, Any]:
        """Of all modalities, each alone, none, and of who knows the latents."""
        latents, main = drawn.people.latents, {self.event: "auc", self.number: "r2"}
        return {
            "rows": len(drawn.amount),
            **truth.compared(self.world.modalities, lambda known: self.scores(drawn, known), main),
            "latents_known": self._scored(drawn, sigmoid(self.logit(latents)), self.mean(latents)),
        }

    def _scored(self, drawn: Outcomes, chance: Floats, amount: Floats) -> truth.Scores:
        return {
            self.event: truth.binary_scores(drawn.happened, chance),
            self.number: truth.regression_scores(drawn.amount, amount),
        }


@dataclass(frozen=True)
class Stakes:
    """What actions bring on average, for a population."""

    world: World
    people: truth.Population
    rewards: dict[str, Quadratic]
    """Action -> its expected reward."""
    allowed: Bools
    """`[n, A]`"""

    @cached_property
    def expected(self) -> Floats:
        """`[n, A]` for who knows the latents."""
        return np.stack([reward(self.people.latents) for reward in self.rewards.values()], axis=1)

    def of(self, policy: Floats) -> float:
        """Mean reward of probabilities `[n, A]`."""
        return float((policy * self.expected).sum(axis=1).mean())

    def best(self, modalities: Sequence[str]) -> float:
        """Of the best policy that sees these modalities, and what is allowed."""
        believed = np.empty(self.allowed.shape)
        for rows, known in truth.posteriors(self.world, self.people, modalities):
            believed[rows] = np.stack([reward.expected(known) for reward in self.rewards.values()], axis=1)
        chosen = np.where(self.allowed, believed, -np.inf).argmax(axis=1)
        return float(np.take_along_axis(self.expected, chosen[:, None], axis=1).mean())

    def oracle(self) -> float:
        """Of who knows the latents."""
        return float(np.where(self.allowed, self.expected, -np.inf).max(axis=1).mean())

    def always(self, but: str) -> dict[str, float]:
        """`always_<action>` for all actions but one, which is not allowed everywhere."""
        means = self.expected.mean(axis=0)
        found = {name: float(value) for name, value in zip(self.rewards, means, strict=True)}
        return {f"always_{name}": value for name, value in found.items() if name != but}
