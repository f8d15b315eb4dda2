"""How the log's actions seem to have been drawn: a calibrated multinomial model, cross-fitted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.arrow import Bool
from models.evaluate.folds import folds_of, standardized
from models.evaluate.logged import Behaviour, Float64, Logged
from models.learn.losses import fit_temperature

FLOOR: Final = 1e-3  # smallest probability that a logged action is believed to have had
_CALIBRATING = 5  # one of as many parts of what may be learned from tells the temperature
_ITERATIONS = 60  # of L-BFGS; the loss is convex and smooth
_NEVER = -1e9  # logit of what is not allowed


class _Rows(NamedTuple):
    columns: Tensor  # [n, F]
    action: Tensor  # [n]
    allowed: Tensor  # [n, A]

    def where(self, chosen: Bool) -> _Rows:
        """The rows where it is True."""
        rows = torch.from_numpy(chosen)
        return _Rows(*(values[rows] for values in self))


@dataclass(frozen=True)
class BehaviourModel:
    """b̂(a|x) = softmax over allowed of W φ(x) / τ: logistic regression with |W|²/(2n), τ fitted to rows left out.

    Ridge of strength 1 as scikit-learn has it by default; temperature: Guo et al. 2017.
    """

    folds: int = 5
    seed: int = 0

    def __call__(self, logged: Logged, features: Float64) -> Behaviour:
        """Probabilities of all allowed actions, each row's learned from other groups.

        Args:
            logged: its actions and what was allowed.
            features: `[n, F]` of each row: what actions may have depended on.
        """
        columns = torch.from_numpy(standardized(features))
        rows = _Rows(columns, torch.from_numpy(logged.action), torch.from_numpy(logged.allowed))
        part = folds_of(logged.groups, self.folds, self.seed)
        inner = folds_of(logged.groups, _CALIBRATING, self.seed + 1)  # apart from `part`, by another hash
        found = np.zeros(logged.allowed.shape)
        for fold in np.unique(part):
            own = part == fold
            found[own] = _probabilities(rows, ~own, inner == 0, own)
        return Behaviour(found, part)


def estimated_propensities(logged: Logged) -> Float64:
    """`[n]` as logged; where the log does not say, b̂(a|x), at least 0.001."""
    assert logged.behaviour is not None
    modelled = np.maximum(logged.taken(logged.behaviour.probabilities), FLOOR)
    return np.where(np.isnan(logged.propensity), modelled, logged.propensity)


def _probabilities(rows: _Rows, others: Bool, kept_back: Bool, own: Bool) -> Float64:
    """`[k, A]` of the `own` rows, learned from the `others`: the temperature from those kept back, W from all."""
    checking = rows.where(others & kept_back)
    early = _logits(_learned(rows.where(others & ~kept_back)), checking)
    temperature = fit_temperature(early, partial(functional.cross_entropy, target=checking.action))
    wanted = rows.where(own)
    logits = _logits(_learned(rows.where(others)), wanted)
    probabilities: Float64 = torch.softmax(logits / temperature, dim=1).numpy()
    return probabilities


def _learned(rows: _Rows) -> Tensor:
    """`[F + 1, A]` that minimise cross-entropy + |W|²/(2n); the last row is not held down."""
    shape = (rows.columns.shape[1] + 1, rows.allowed.shape[1])
    weights = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=_ITERATIONS, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(_logits(weights, rows), rows.action)
        loss = loss + weights[:-1].square().sum() / (2 * len(rows.action))
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        return loss.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves Optimizer.step untyped
    return weights.detach()


def _logits(weights: Tensor, rows: _Rows) -> Tensor:
    """`[n, A]`"""
    return (rows.columns @ weights[:-1] + weights[-1]).masked_fill(~rows.allowed, _NEVER)
