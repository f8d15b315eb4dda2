"""Held-out comparison: each modality alone, all fused, all but one, and the baseline that knows only the labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from models.evaluate.calibration import CalibrationRow, calibration
from models.evaluate.curves import Bin, Confusion
from models.evaluate.label_judge import LabelJudge, Margin, Row, Without, labelled
from models.evaluate.metrics import Float64
from models.heads.base import LabelHeadSpec
from models.learn.data import Examples, Split
from models.learn.fitting import Fitted, Learner

BASELINE, FUSED = "baseline", "fused"

Predictions = dict[str, Float64]
"""Head -> `[N]` or `[N, K]` scores of all held-out rows."""


@dataclass(frozen=True)
class Comparison:
    """What `evaluate` prints and the card stores."""

    rows: list[Row]
    margins: list[Margin]
    without: list[Without] = field(default_factory=list)
    calibrated: list[CalibrationRow] = field(default_factory=list)
    bins: dict[str, list[Bin]] = field(default_factory=dict)
    """Head -> how often what it said came true; empty for means."""
    confusions: dict[str, Confusion] = field(default_factory=dict)
    """Head -> what it takes for what, where there are classes of which one is true."""

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """Strict JSON, a list per key, each item with its `head`: a metric that cannot be computed is null."""
        return {
            "rows": [
                {
                    "head": row.head,
                    "predictor": row.predictor,
                    "pattern": row.pattern,
                    "rows": row.rows,
                    "headline": row.headline,
                    "interval": _nullable(row.interval),
                    "metrics": _nullables(row.metrics),
                }
                for row in self.rows
            ],
            "margins": [
                {
                    "head": margin.head,
                    "metric": margin.metric,
                    "best_single": margin.best_single,
                    "value": _nullable([margin.value])[0],
                    "interval": _nullable(margin.interval),
                }
                for margin in self.margins
            ],
            "without": [_without_json(one) for one in self.without if not one.retrained],
            "retrained": [_without_json(one) for one in self.without if one.retrained],
            "calibrated": [
                {**row.as_json(), "before": _nullables(row.before), "after": _nullables(row.after)}
                for row in self.calibrated
            ],
            "calibration": [
                {"head": head, "bins": [one._asdict() for one in bins]} for head, bins in self.bins.items()
            ],
            "confusion": [
                {"head": head, "classes": found.classes, "counts": found.counts.tolist()}
                for head, found in self.confusions.items()
            ],
        }


def compare(fitted: Fitted, learner: Learner, split: Split, *, retrain: bool = False) -> Comparison:
    """Judge a fitted fusion on held-out rows beside each modality alone, all but one, and the baseline.

    Every modality alone is trained in the same way, on the same rows as far as they have it. Where a held-out row lacks
    it, its prediction is the baseline's (the classes' shares or the mean of the training labels): all predictors are
    judged on the same rows. That is also what is left of a row whose only modality is taken away.

    Args:
        fitted: fusion and heads.
        learner: trains each modality alone.
        split: what `fitted` learned from, and the held-out rows.
        retrain: also train without each modality in turn: what it really adds. (A model that learned with it may lean
            on it more than it must.)
    """
    modalities = list(split.train.inputs) if len(split.train.inputs) > 1 else []
    baseline = _baselines(fitted, split)
    singles = {modality: _alone(modality, fitted, learner, split, baseline) for modality in modalities}
    fused = _numbers(fitted, split.held_out)
    masked = {m: _scores(fitted, _masked(split.held_out, m), baseline) for m in modalities}
    again = {m: _untrained(m, fitted, learner, split, baseline) for m in modalities if retrain}
    found = Comparison([], [], calibrated=calibration(fitted, split.held_out))
    for head, spec in fitted.head_specs.items():
        judge, score = LabelJudge(head, spec, split.held_out), fused[head]
        predictors = {BASELINE: baseline, **singles, FUSED: fused}
        found.rows.extend(judge.row(name, of[head], "all", judge.known) for name, of in predictors.items())
        found.rows.extend(judge.patterns(FUSED, score))
        if singles:
            found.margins.append(judge.margin(score, {name: of[head] for name, of in singles.items()}))
        for others, retrained in ((masked, False), (again, True)):
            found.without.extend(judge.without(m, score, of[head], retrained=retrained) for m, of in others.items())
        found.bins[head] = judge.bins(score)
        if (confusion := judge.confusion(score)) is not None:
            found.confusions[head] = confusion
    return found


def _baselines(fitted: Fitted, split: Split) -> Predictions:
    """Head -> the same prediction for every held-out row."""
    count = len(split.held_out)
    return {name: _baseline(spec, split.train, count) for name, spec in fitted.head_specs.items()}


def _baseline(spec: LabelHeadSpec, train: Examples, count: int) -> Float64:
    """The mean training label, the classes' shares, or the labels' quantiles, `count` times."""
    targets = spec.targets(train.labels[spec.label]).astype(np.float64)
    known = targets[labelled(targets)]
    if spec.task == "multiclass":
        return np.tile(np.bincount(known.astype(np.int64), minlength=_classes(spec)) / len(known), (count, 1))
    if spec.task == "quantile":
        return np.tile(np.quantile(known, getattr(spec, "quantiles", ())), (count, 1))
    if spec.task == "multilabel":
        return np.tile(known.mean(axis=0), (count, 1))
    return np.full(count, known.mean())  # of two classes, the mean index is the share of the last


def _classes(spec: LabelHeadSpec) -> int:
    return len(getattr(spec, "classes", ()))


def _alone(modality: str, fitted: Fitted, learner: Learner, split: Split, baseline: Predictions) -> Predictions:
    """Predictions from one modality, trained alone; the baseline's where it is absent."""
    return _trained_on(lambda part: part.only(modality), fitted, learner, split, baseline)


def _untrained(modality: str, fitted: Fitted, learner: Learner, split: Split, baseline: Predictions) -> Predictions:
    """Predictions of a model that was trained without a modality."""
    return _trained_on(lambda part: _dropped(part, modality), fitted, learner, split, baseline)


def _trained_on(
    view: Callable[[Examples], Examples], fitted: Fitted, learner: Learner, split: Split, baseline: Predictions
) -> Predictions:
    """Predictions for the held-out rows from what `view` leaves of each row, the baseline's where nothing is left."""
    train, validation, held_out = (view(part) for part in (split.train, split.validation, split.held_out))
    if not all(len(part.present()) for part in (train, validation, held_out)):
        return dict(baseline)
    fusion = fitted.fusion_spec.model_copy(update=_weights_of(fitted, train.inputs))
    some = (part.take(part.present()) for part in (train, validation))
    return _scores(learner.fit(fusion, fitted.head_specs, *some), held_out, baseline)


def _scores(fitted: Fitted, held_out: Examples, baseline: Mapping[str, Float64]) -> Predictions:
    """Predictions of all rows, the baseline's for those without any modality."""
    rows = held_out.present()
    if not len(rows):
        return dict(baseline)
    found = _numbers(fitted, held_out.take(rows))
    predictions = {}
    for head, scores in found.items():
        predictions[head] = baseline[head].copy()
        predictions[head][rows] = scores
    return predictions


def _numbers(fitted: Fitted, rows: Examples) -> Predictions:
    return {name: score.double().numpy() for name, score in fitted.scores(rows).items()}


def _masked(rows: Examples, modality: str) -> Examples:
    """All rows, as if this modality was absent."""
    mask = rows.mask.clone()
    mask[:, list(rows.inputs).index(modality)] = False
    return replace(rows, mask=mask)


def _dropped(rows: Examples, modality: str) -> Examples:
    """All rows, as if there was no such modality."""
    inputs = {name: width for name, width in rows.inputs.items() if name != modality}
    kept = [index for index, name in enumerate(rows.inputs) if name != modality]
    return replace(rows, inputs=inputs, x=rows.x[:, kept, : max(inputs.values())], mask=rows.mask[:, kept])


def _weights_of(fitted: Fitted, inputs: Mapping[str, int]) -> dict[str, object]:
    """Fixed weights of the modalities that are left; of one alone they mean nothing."""
    weights = getattr(fitted.fusion_spec, "weights", None)
    if not isinstance(weights, Mapping):
        return {}
    return {"weights": {name: weight for name, weight in weights.items() if name in inputs and len(inputs) > 1}}


def _without_json(one: Without) -> dict[str, object]:
    return {
        "head": one.head,
        "modality": one.modality,
        "metric": one.metric,
        "delta": _nullable([one.delta])[0],
        "interval": _nullable(one.interval),
    }


def _nullables(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return dict(zip(numbers, _nullable(numbers.values()), strict=True))


def _nullable(values: Iterable[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
