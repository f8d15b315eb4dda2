"""Metrics of one label head on held-out rows, for any predictor, with intervals over groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.arrow import Bool
from models.evaluate.base import Interval, bootstrap_over_groups
from models.evaluate.curves import Bin, Confusion, confusion, reliability
from models.evaluate.metrics import Float64, Metric, metrics_of
from models.heads.base import LabelHeadSpec
from models.learn.data import Examples

SMALLEST_PATTERN = 30  # rows: below, a metric per presence pattern says more about chance than about the model
DIFFERENCE_DRAWS = 400  # of the intervals of differences, of which there are many


@dataclass(frozen=True)
class Row:
    """One line of a comparison: a predictor and how good it is for one head."""

    head: str
    predictor: str
    """`baseline`, a modality's name, or `fused`."""
    pattern: str
    """`all`, or the modalities that the rows have, joined by `+`."""
    rows: int
    metrics: dict[str, float]
    headline: str
    """Name of the metric by which predictors are compared; more is better."""
    interval: Interval
    """95 % interval of the headline metric, over groups."""


@dataclass(frozen=True)
class Margin:
    """How much better all modalities are than the best one, on the same rows."""

    head: str
    metric: str
    best_single: str
    value: float
    interval: Interval
    """95 % interval of the difference, both drawn from the same groups."""


@dataclass(frozen=True)
class Without:
    """What the fused predictor loses when it does without one modality, on the same rows."""

    head: str
    modality: str
    metric: str
    delta: float
    """Metric without it minus metric with it: below 0, it is missed."""
    interval: Interval
    """95 % interval of the difference, both drawn from the same groups."""
    retrained: bool
    """Trained without it from the start; else it is masked and the model is the same."""


class LabelJudge:
    """One head's held-out labels."""

    def __init__(self, head: str, spec: LabelHeadSpec, held_out: Examples) -> None:
        self.head, self.task, self.held_out = head, spec.task, held_out
        self.levels: Sequence[float] = getattr(spec, "quantiles", ())
        self.classes: Sequence[object] = getattr(spec, "classes", ())
        self.metrics = metrics_of(self.task, self.levels)
        self.headline = next(iter(self.metrics))
        self.targets = spec.targets(held_out.labels[spec.label]).astype(np.float64)  # [N] or [N, K]
        self.known = labelled(self.targets)

    @property
    def best(self) -> Metric:
        """The headline metric."""
        return self.metrics[self.headline]

    def row(self, predictor: str, score: Float64, pattern: str, where: Bool) -> Row:
        """One line, over the rows where `where` is True."""
        y, score = self.targets[where], score[where]
        groups = self.held_out.groups.filter(pa.array(where))
        interval = bootstrap_over_groups(lambda rows: self.best(y[rows], score[rows]), groups)
        metrics = {name: metric(y, score) for name, metric in self.metrics.items()}
        return Row(self.head, predictor, pattern, len(y), metrics, self.headline, interval)

    def patterns(self, predictor: str, score: Float64) -> list[Row]:
        """A predictor per presence pattern that has enough labelled rows, most frequent first."""
        found = {name: where & self.known for name, where in self.held_out.patterns().items()}
        enough = {name: where for name, where in found.items() if where.sum() >= SMALLEST_PATTERN}
        ordered = sorted(enough.items(), key=lambda item: -int(item[1].sum()))
        return [self.row(predictor, score, name, where) for name, where in ordered]

    def margin(self, fused: Float64, singles: Mapping[str, Float64]) -> Margin:
        """Fused minus the best single modality."""
        values = {name: self.best(self.targets[self.known], score[self.known]) for name, score in singles.items()}
        best = max(values, key=lambda name: -math.inf if math.isnan(values[name]) else values[name])
        value, interval = self._difference(fused, singles[best])
        return Margin(self.head, self.headline, best, value, interval)

    def without(self, modality: str, fused: Float64, other: Float64, *, retrained: bool) -> Without:
        """What another predictor, which lacks a modality, loses against the fused one."""
        delta, interval = self._difference(other, fused, DIFFERENCE_DRAWS)
        return Without(self.head, modality, self.headline, delta, interval, retrained)

    def bins(self, score: Float64) -> list[Bin]:
        """How often what was said came true."""
        return reliability(self.task, self.targets[self.known], score[self.known], self.levels)

    def confusion(self, score: Float64) -> Confusion | None:
        """What is taken for what."""
        return confusion(self.task, self.targets[self.known], score[self.known], self.classes)

    def _difference(self, one: Float64, other: Float64, draws: int = 1000) -> tuple[float, Interval]:
        y, first, second = self.targets[self.known], one[self.known], other[self.known]
        interval = bootstrap_over_groups(
            lambda rows: self.best(y[rows], first[rows]) - self.best(y[rows], second[rows]),
            self.held_out.groups.filter(pa.array(self.known)),
            draws=draws,
        )
        return self.best(y, first) - self.best(y, second), interval


def labelled(targets: Float64) -> Bool:
    """`[N]` where `[N]` or `[N, K]` targets are known."""
    unknown: Bool = np.isnan(targets)
    return ~(unknown if targets.ndim == 1 else np.logical_or.reduce(unknown, axis=1))
