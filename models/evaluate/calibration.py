"""Whether probabilities mean what they say: per head and presence pattern, before and after calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast

import numpy as np

from models.arrow import Bool
from models.evaluate.metrics import metrics_of
from models.learn.data import Examples
from models.learn.fitting import Fitted

ALL = "all"  # the pattern that stands for every row
OF_CALIBRATION = ("log_likelihood", "brier", "ece", "pinball", "coverage")  # names of metrics that say something of it
SMALLEST_PATTERN = 30  # rows, as in `comparison`


@dataclass(frozen=True)
class CalibrationRow:
    """One head on the rows of one presence pattern."""

    head: str
    pattern: str
    """`all`, or the modalities that the rows have, joined by `+`."""
    rows: int
    before: dict[str, float]
    """Metric -> value, of scores without temperature or offsets."""
    after: dict[str, float]
    """The same of the published scores."""

    def as_json(self) -> dict[str, object]:
        """As the card holds it."""
        return asdict(self)


def calibration(fitted: Fitted, rows: Examples) -> list[CalibrationRow]:
    """Judge every head's probabilities or quantiles on rows that it was neither trained nor calibrated on.

    There is one temperature per head. A pattern whose rows it does not suit (one modality alone is often surer of
    itself than it should be) shows here.

    Args:
        fitted: fusion and heads.
        rows: held-out rows, each with at least one modality.
    """
    before, after = fitted.scores(rows, calibrated=False), fitted.scores(rows)
    found = []
    for head, spec in fitted.head_specs.items():
        known = metrics_of(spec.task, getattr(spec, "quantiles", ()))
        metrics = {name: metric for name, metric in known.items() if name in OF_CALIBRATION}
        targets = spec.targets(rows.labels[spec.label]).astype(np.float64)
        labelled = cast(Bool, ~np.isnan(targets).reshape(len(rows), -1).any(axis=1))
        for pattern, where in _patterns(rows, labelled).items():
            judged = [
                {name: metric(targets[where], scores[head].double().numpy()[where]) for name, metric in metrics.items()}
                for scores in (before, after)
            ]
            if metrics:
                found.append(CalibrationRow(head, pattern, int(where.sum()), *judged))
    return found


def _patterns(rows: Examples, labelled: Bool) -> Mapping[str, Bool]:
    """Pattern -> `[N]` its labelled rows, if it has enough: all, then the most frequent first."""
    found = {name: where & labelled for name, where in rows.patterns().items()}
    return {ALL: labelled} | {name: where for name, where in found.items() if where.sum() >= SMALLEST_PATTERN}
