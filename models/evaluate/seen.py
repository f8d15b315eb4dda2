"""Logged decisions as a trained decision head sees them: from `Decisions` to what estimators take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.arrow import Bool, Float32, Int64
from models.evaluate.logged import Float64, Logged
from models.heads.base import DecisionHead, DecisionHeadSpec
from models.learn.deciding import policy_of, values_of
from models.learn.decisions import Decisions
from models.learn.network import EVALUATION_ROWS

WIDEST = 128  # columns of embeddings, after their principal components are taken, that actions are explained by


@dataclass(frozen=True)
class Seen:
    """A log with the judged policy's probabilities, and what models may learn from."""

    logged: Logged
    features: Float64
    """`[n, F]` of each row: what rewards may depend on."""
    prior: Float64 | None = None
    """`[n, A]` returns that were expected beforehand, learned from other groups than these."""
    embeddings: Float32 | None = None
    """`[n, E]` all that the record shows, for what the log's actions may have depended on; by default `features`."""
    left_out: int = 0
    """Decisions whose action or reward is not known, and in episodes those after them."""

    def context(self) -> Float64:
        """`[n, F + min(E, 128)]` what the log's actions are explained by."""
        if self.embeddings is None:
            return self.features
        context: Float64 = np.concatenate([self.features, _principal(self.embeddings)], axis=1)
        return context


def seen_by(spec: DecisionHeadSpec, module: DecisionHead, log: Decisions) -> Seen:
    """The log as this head sees it: its policy, its fused vector, its values, and the embeddings.

    A decision without a known action or reward cannot be used. An episode ends before it, as if it was cut off.
    """
    rows = np.flatnonzero(_usable(log, episodes=spec.gamma > 0))
    values = values_of(spec, module, log).astype(np.float64)[rows]
    seen = np.concatenate([log.x.reshape(len(log), -1)[rows], log.mask[rows]], axis=1, dtype=np.float32)
    features = np.concatenate([_fused(module, log)[rows], log.mask[rows]], axis=1, dtype=np.float64)
    return Seen(_logged(spec, module, log, rows), features, values, seen, len(log) - len(rows))


def _usable(log: Decisions, *, episodes: bool) -> Bool:
    """`[N]`"""
    unknown: Bool = (log.action < 0) | np.isnan(log.reward)
    if not episodes or not len(log):
        return ~unknown
    since, first = unknown.cumsum(), np.searchsorted(log.episode, log.episode)
    usable: Bool = since - since[first] + unknown[first] == 0  # neither the row nor one before it in its episode
    return usable


def _logged(spec: DecisionHeadSpec, module: DecisionHead, log: Decisions, rows: Int64) -> Logged:
    following, complete = None, None
    if spec.gamma > 0:
        place = np.full(len(log) + 1, -1)  # the last one is for following = −1
        place[rows] = np.arange(len(rows))
        following = place[log.following[rows]]
        complete = (following >= 0) | log.terminated[rows]
    return Logged(
        action=log.action[rows],
        reward=log.reward[rows],
        propensity=log.propensity[rows],
        policy=policy_of(spec, module, log)[rows],
        groups=log.groups.take(rows),
        allowed=log.allowed[rows],
        following=following,
        complete=complete,
        gamma=spec.gamma,
    )


@torch.inference_mode()
def _fused(module: DecisionHead, log: Decisions) -> Float32:
    """`[N, F]` in bounded memory."""
    parts: list[Tensor] = []
    for start in range(0, len(log), EVALUATION_ROWS):
        x = torch.from_numpy(np.array(log.x[start : start + EVALUATION_ROWS]))  # [B, M, D]
        parts.append(module.fusion(x, torch.from_numpy(log.mask[start : start + EVALUATION_ROWS])).z)
    return torch.cat(parts).numpy() if parts else np.zeros((0, 0), np.float32)


def _principal(embeddings: Float32) -> Float64:
    """`[n, E]` to at most 128 columns: the principal components that vary most."""
    centered: Float64 = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    if centered.shape[1] <= WIDEST:
        return centered
    _, turns = np.linalg.eigh(centered.T @ centered)
    components: Float64 = centered @ turns[:, -WIDEST:]
    return components
