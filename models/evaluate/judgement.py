"""What a decision head's policy is worth on logged decisions of others than it learned from, or why none can say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import numpy as np

from models.arrow import Int64
from models.evaluate.behaviour import BehaviourModel, estimated_propensities
from models.evaluate.direct import DirectSpec
from models.evaluate.doubly_robust import DoublyRobustSpec
from models.evaluate.estimates import DRAWS, NO_ESTIMATE, UNKNOWN, Estimate, EstimatorSpec, Terms, estimate, mean_of
from models.evaluate.fitted_q import FittedQSpec
from models.evaluate.ips import IpsSpec
from models.evaluate.logged import Float64, Logged
from models.evaluate.per_decision import PerDecisionSpec
from models.evaluate.refusals import LEAST_GROUPS, impossible, refusals
from models.evaluate.reward_model import CrossFitted, RewardModel
from models.evaluate.seen import Seen, seen_by
from models.evaluate.snips import SnipsSpec
from models.evaluate.support import Support, carried_weights
from models.evaluate.switch import SwitchSpec
from models.heads.base import DecisionHead, DecisionHeadSpec
from models.learn.decisions import Decisions

HEADLINE: Final = "doubly_robust"
SINGLE: Final[dict[str, EstimatorSpec]] = {
    "ips": IpsSpec(),
    "snips": SnipsSpec(),
    "direct": DirectSpec(),
    "doubly_robust": DoublyRobustSpec(),
    "switch": SwitchSpec(),
}
EPISODES: Final[dict[str, EstimatorSpec]] = {
    "per_decision": PerDecisionSpec(),
    "weighted_per_decision": PerDecisionSpec(weighted=True),
    "fitted_q": FittedQSpec(),
    "doubly_robust": DoublyRobustSpec(),
    "switch": SwitchSpec(),
}
MODEL_BASED: Final = frozenset(name for name, spec in {**SINGLE, **EPISODES}.items() if spec.model_based)
ESTIMATING_FOLDS: Final = 5  # a model of how actions were drawn learns from four fifths of the log
CHECKING_FOLDS: Final = 2  # or from one half, and is held against the other: the most rows that one model can judge
_FINEST, _COARSEST = -6, 10  # powers of 2 between which weights are told apart in a histogram


@dataclass(frozen=True)
class Judgement:
    """The off-policy evaluation of one policy."""

    refusals: list[str]
    """Why nothing can be said of the policy's value; then there are no estimates."""
    rows: int = 0
    """Decisions that were looked at."""
    left_out: int = 0
    """Decisions whose action or reward is not known, and in episodes those after them."""
    clusters: int = 0
    """Groups that are independent of each other; intervals are over them."""
    episodes: int = 0
    """As many as rows, where every decision stands alone."""
    gamma: float = 0.0
    """What a reward one decision later is worth."""
    estimated: int = 0
    """Rows whose propensity is a model's, not the log's."""
    cut: int = 0
    """Episodes that were cut off: what would have followed is the model's word."""
    support: Support | None = None
    """None where the propensities are impossible."""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    """Of the policy's value, by name; those in `MODEL_BASED` have no interval."""
    headline: str = HEADLINE
    """Name of the estimate that counts."""
    logging: Estimate = NO_ESTIMATE
    """Mean return of the logged decisions themselves, on the same rows."""
    gain: Estimate = NO_ESTIMATE
    """The headline minus `logging`, both drawn from the same groups."""
    weights: Float64 = field(default_factory=lambda: np.zeros(0))
    """`[e]` by how much each episode's rewards count (`carried_weights`)."""

    @property
    def better(self) -> bool:
        """Whether the headline's lower bound is above the log's mean, and nothing was refused."""
        return not self.refusals and self.estimates[self.headline].interval.low > self.logging.value

    def as_json(self) -> dict[str, object]:
        """Strict JSON for cards and reports; weights as a histogram."""
        counts, edges = histogram(self.weights)
        return {
            "rows": self.rows,
            "left_out": self.left_out,
            "clusters": self.clusters,
            "episodes": self.episodes,
            "gamma": self.gamma,
            "propensities": "estimated" if self.estimated else "logged",
            "estimated_rows": self.estimated,
            "cut_off": self.cut,
            "better": self.better,
            "refusals": list(self.refusals),
            "headline": self.headline,
            "estimates": {
                name: {**found.as_json(), "model_based": name in MODEL_BASED} for name, found in self.estimates.items()
            },
            "logging": self.logging.as_json(),
            "gain": self.gain.as_json(),
            "support": None if self.support is None else _nullable(asdict(self.support)),
            "weights": {"counts": counts.tolist(), "edges": edges.tolist()},
        }


def _nullable(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}


def histogram(weights: Float64) -> tuple[Int64, Float64]:
    """`[k]` counts of weights between `[k + 1]` edges: 0 and powers of 2 from 1/64 to 1024; the last has all above."""
    edges = np.concatenate([[0.0], 2.0 ** np.arange(_FINEST, _COARSEST + 1)])
    place = np.clip(np.searchsorted(edges, weights, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(place, minlength=len(edges) - 1).astype(np.int64), edges


@dataclass(frozen=True)
class Judge:
    """How logs are judged."""

    model: RewardModel | None = None
    """Learns what to expect of each action from the rows that are judged, by cross-fitting; `CrossFitted` if none."""
    estimate_propensities: bool = False
    """Where the log does not say with which probability an action was taken, take a model's word (`BehaviourModel`).
    It knows what the record shows; if decisions depended on more, values are wrong."""
    draws: int = DRAWS
    """Resamples for the intervals."""
    seed: int = 0
    """Of folds and resamples."""

    def __call__(self, seen: Seen) -> Judgement:
        """Judge a policy on a log."""
        if not len(seen.logged):
            return Judgement(refusals=refusals(seen.logged), left_out=seen.left_out)
        logged, estimated = self._with_propensities(seen)
        judgement = Judgement(
            refusals=refusals(logged, estimated=estimated > 0),
            rows=len(logged),
            left_out=seen.left_out,
            clusters=len(logged.groups.unique()),
            episodes=len(logged.places.starts),
            gamma=logged.gamma,
            estimated=estimated,
            cut=0 if logged.complete is None else int((~logged.complete).sum()),
            logging=self._estimate(mean_of(logged.returns), logged),
        )
        if any(impossible(logged)):
            return judgement
        judgement = replace(judgement, support=Support.of(logged), weights=carried_weights(logged))
        return judgement if judgement.refusals else self._with_estimates(judgement, self._with_model(logged, seen))

    def _with_propensities(self, seen: Seen) -> tuple[Logged, int]:
        """With modelled probabilities, where they can be learned; and how many propensities are taken from them."""
        logged = seen.logged
        if len(logged.groups.unique()) < LEAST_GROUPS or logged.barred.any():
            return logged, 0
        missing = int(np.isnan(logged.propensity).sum()) if self.estimate_propensities else 0
        behaviour = BehaviourModel(ESTIMATING_FOLDS if missing else CHECKING_FOLDS, self.seed)
        logged = replace(logged, behaviour=behaviour(logged, seen.context()))
        return (replace(logged, propensity=estimated_propensities(logged)), missing) if missing else (logged, 0)

    def _with_model(self, logged: Logged, seen: Seen) -> Logged:
        model = self.model or CrossFitted(seed=self.seed)
        return replace(logged, model=model(logged, seen.features, seen.prior))

    def _with_estimates(self, judgement: Judgement, logged: Logged) -> Judgement:
        specs = SINGLE if logged.following is None else EPISODES
        terms = {name: spec.build()(logged) for name, spec in specs.items()}
        found = {
            name: Estimate(of.value, UNKNOWN) if name in MODEL_BASED else self._estimate(of, logged)
            for name, of in terms.items()
        }
        done = _done(logged)
        gain = self._estimate(mean_of(terms[HEADLINE].numerator - done), logged)
        return replace(judgement, estimates=found, logging=self._estimate(mean_of(done), logged), gain=gain)

    def _estimate(self, terms: Terms, logged: Logged) -> Estimate:
        return estimate(terms, logged, draws=self.draws, seed=self.seed)


def _done(logged: Logged) -> Float64:
    """`[e]` what the logged decisions brought; where an episode was cut off, what the judged policy would bring then.

    Without that, a policy that does as the log does would seem better than the log by all that comes after the cuts.
    """
    if logged.complete is None or logged.complete.all():
        return logged.returns
    return logged.per_episode(logged.discount * np.where(logged.complete, logged.reward, logged.expected))


def judge(
    spec: DecisionHeadSpec,
    module: DecisionHead,
    log: Decisions,
    model: RewardModel | None = None,
    *,
    estimate_propensities: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> Judgement:
    """Judge the policy that a trained decision head publishes.

    Args:
        spec: the head's, with actions and fusion filled in.
        module: its weights, in evaluation mode.
        log: decisions of groups that neither policy nor values were learned from.
        model: see `Judge`, as the others.
        estimate_propensities: …
        draws: …
        seed: …
    """
    return Judge(model, estimate_propensities, draws, seed)(seen_by(spec, module, log))
