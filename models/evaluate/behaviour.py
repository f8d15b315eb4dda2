"""How the log's actions seem to have been drawn: a calibrated multinomial model, cross-fitted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.arrow import Int64
from models.evaluate.folds import folds_of, standardized
from models.evaluate.logged import Behaviour, Float64, Logged
from models.learn.losses import fit_temperature

FLOOR: Final = 1e-3  # smallest probability that a logged action is believed to have had
_ITERATIONS = 60  # of L-BFGS; the loss is convex and smooth
_NEVER = -1e9  # logit of what is not allowed


@dataclass(frozen=True)
class BehaviourModel:
    """b̂(a|x) = softmax over allowed of W φ(x) / τ: logistic regression with |W|²/(2n), τ fitted on left-out rows.

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
        action, allowed = torch.from_numpy(logged.action), torch.from_numpy(logged.allowed)
        part = folds_of(logged.groups, self.folds, self.seed)
        logits = torch.zeros(allowed.shape, dtype=torch.float64)
        for fold in np.unique(part):
            own = torch.from_numpy(part == fold)
            weights = _learned(columns[~own], action[~own], allowed[~own])
            logits[own] = _logits(weights, columns[own], allowed[own])
        return Behaviour(_calibrated(logits, action, part).numpy(), part)


def estimated_propensities(logged: Logged) -> Float64:
    """`[n]` as logged; where the log does not say, b̂(a|x), at least 0.001."""
    assert logged.behaviour is not None
    modelled = np.maximum(logged.taken(logged.behaviour.probabilities), FLOOR)
    return np.where(np.isnan(logged.propensity), modelled, logged.propensity)


def _learned(columns: Tensor, action: Tensor, allowed: Tensor) -> Tensor:
    """`[F + 1, A]` that minimise cross-entropy + |W|²/(2n); the last row is not held down."""
    weights = torch.zeros(columns.shape[1] + 1, allowed.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=_ITERATIONS, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(_logits(weights, columns, allowed), action)
        loss = loss + weights[:-1].square().sum() / (2 * len(action))
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        return loss.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves Optimizer.step untyped
    return weights.detach()


def _logits(weights: Tensor, columns: Tensor, allowed: Tensor) -> Tensor:
    """`[n, A]`"""
    return (columns @ weights[:-1] + weights[-1]).masked_fill(~allowed, _NEVER)


def _calibrated(logits: Tensor, action: Tensor, part: Int64) -> Tensor:
    """`[n, A]` probabilities at the temperature that suits the rows of the *other* parts best."""
    found = torch.zeros_like(logits)
    for fold in np.unique(part):
        own = torch.from_numpy(part == fold)
        temperature = fit_temperature(logits[~own], partial(functional.cross_entropy, target=action[~own]))
        found[own] = torch.softmax(logits[own] / temperature, dim=1)
    return found
