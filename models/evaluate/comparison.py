"""Held-out comparison: each modality alone, all fused, and the baseline that knows only the labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.arrow import Bool
from models.evaluate.base import Interval, bootstrap_over_groups
from models.evaluate.metrics import METRICS, Float64, headline
from models.heads.base import LabelHeadSpec
from models.learn.data import Examples, Split
from models.learn.fitting import Fitted, Learner

BASELINE, FUSED = "baseline", "fused"
SMALLEST_PATTERN = 30  # rows: below, a metric per presence pattern says more about chance than about the model


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
class Comparison:
    """What `evaluate` prints and the card stores."""

    rows: list[Row]
    margins: list[Margin]

    def as_json(self) -> dict[str, object]:
        """Strict JSON: a metric that cannot be computed is null."""
        return {
            "rows": [
                {
                    "head": row.head,
                    "predictor": row.predictor,
                    "pattern": row.pattern,
                    "rows": row.rows,
                    "headline": row.headline,
                    "interval": _nullable(*row.interval),
                    "metrics": dict(zip(row.metrics, _nullable(*row.metrics.values()), strict=True)),
                }
                for row in self.rows
            ],
            "margins": [
                {
                    "head": margin.head,
                    "metric": margin.metric,
                    "best_single": margin.best_single,
                    "value": _nullable(margin.value)[0],
                    "interval": _nullable(*margin.interval),
                }
                for margin in self.margins
            ],
        }


def compare(fitted: Fitted, learner: Learner, split: Split) -> Comparison:
    """Judge a fitted fusion on held-out rows beside each modality alone and the baseline.

    Every modality alone is trained in the same way, on the same rows as far as they have it. Where a held-out row lacks
    it, its prediction is the baseline's (the classes' shares or the mean of the training labels): all predictors are
    judged on the same rows.
    """
    predictions = {BASELINE: _baselines(fitted, split)}
    for modality in split.train.inputs if len(split.train.inputs) > 1 else ():
        predictions[modality] = _alone(modality, fitted, learner, split, predictions[BASELINE])
    scores = fitted.scores(split.held_out)
    predictions[FUSED] = {name: score.double().numpy() for name, score in scores.items()}
    rows, margins = [], []
    for head, spec in fitted.head_specs.items():
        targets = spec.targets(split.held_out.labels[spec.label]).astype(np.float64)
        judge = _Judge(head, spec.task, targets, split.held_out)
        by_predictor = {name: of_heads[head] for name, of_heads in predictions.items()}
        rows += [judge.row(name, score, "all", ~np.isnan(targets)) for name, score in by_predictor.items()]
        rows += judge.patterns(by_predictor[FUSED])
        if len(by_predictor) > 2:
            margins.append(judge.margin(by_predictor))
    return Comparison(rows, margins)


@dataclass(frozen=True)
class _Judge:
    """Metrics of one head on the held-out rows."""

    head: str
    task: str
    targets: Float64  # [N], NaN without a label
    held_out: Examples

    def row(self, predictor: str, score: Float64, pattern: str, where: Bool) -> Row:
        """One line, over the rows where `where` is True."""
        y, score = self.targets[where], score[where]
        best = METRICS[self.task][headline(self.task)]
        interval = bootstrap_over_groups(
            lambda rows: best(y[rows], score[rows]), self.held_out.groups.filter(pa.array(where))
        )
        metrics = {name: metric(y, score) for name, metric in METRICS[self.task].items()}
        return Row(self.head, predictor, pattern, len(y), metrics, headline(self.task), interval)

    def patterns(self, score: Float64) -> list[Row]:
        """The fused predictor per presence pattern that has enough labelled rows, most frequent first."""
        names = np.array(list(self.held_out.inputs))
        patterns, which = np.unique(self.held_out.mask.numpy(), axis=0, return_inverse=True)
        labelled = ~np.isnan(self.targets)
        found = [("+".join(names[pattern]), labelled & (which == index)) for index, pattern in enumerate(patterns)]
        enough = [(name, where) for name, where in found if where.sum() >= SMALLEST_PATTERN]
        return [self.row(FUSED, score, name, where) for name, where in sorted(enough, key=lambda item: -item[1].sum())]

    def margin(self, scores: Mapping[str, Float64]) -> Margin:
        """Fused minus the best single modality."""
        known = ~np.isnan(self.targets)
        y, metric = self.targets[known], METRICS[self.task][headline(self.task)]
        known_scores = {name: score[known] for name, score in scores.items()}
        singles = {name: metric(y, score) for name, score in known_scores.items() if name not in (BASELINE, FUSED)}
        best = max(singles, key=lambda name: -math.inf if math.isnan(singles[name]) else singles[name])
        fused, single = known_scores[FUSED], known_scores[best]
        interval = bootstrap_over_groups(
            lambda rows: metric(y[rows], fused[rows]) - metric(y[rows], single[rows]),
            self.held_out.groups.filter(pa.array(known)),
        )
        return Margin(self.head, headline(self.task), best, metric(y, fused) - singles[best], interval)


def _baselines(fitted: Fitted, split: Split) -> dict[str, Float64]:
    """Head -> the same prediction for every held-out row."""
    count = len(split.held_out)
    return {name: _baseline(spec, split.train, count) for name, spec in fitted.head_specs.items()}


def _baseline(spec: LabelHeadSpec, train: Examples, count: int) -> Float64:
    """The mean training label, or the classes' shares, `count` times."""
    targets = spec.targets(train.labels[spec.label])
    known = targets[~np.isnan(targets)].astype(np.float64)
    if spec.task != "multiclass":
        return np.full(count, known.mean())  # of two classes, the mean index is the share of the last
    shares = np.bincount(known.astype(np.int64)) / len(known)
    return np.tile(shares, (count, 1))


def _alone(
    modality: str, fitted: Fitted, learner: Learner, split: Split, baseline: Mapping[str, Float64]
) -> dict[str, Float64]:
    """Head -> predictions for the held-out rows from one modality, the baseline's where it is absent."""
    train, validation, held_out = (part.only(modality) for part in (split.train, split.validation, split.held_out))
    rows = held_out.present()
    if not len(train.present()) or not len(validation.present()) or not len(rows):
        return dict(baseline)
    fusion = fitted.fusion_spec.model_copy(update=_without_weights(fitted))
    alone = learner.fit(fusion, fitted.head_specs, train.take(train.present()), validation.take(validation.present()))
    predictions = {}
    for head, scores in alone.scores(held_out.take(rows)).items():
        predictions[head] = baseline[head].copy()
        predictions[head][rows] = scores.double().numpy()
    return predictions


def _without_weights(fitted: Fitted) -> dict[str, object]:
    """Settings that name other modalities and mean nothing where there is only one."""
    return {"weights": {}} if "weights" in type(fitted.fusion_spec).model_fields else {}


def _nullable(*values: float) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
