"""The best reachable scores of the education scenario, and what policies are worth in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pipelines.scenarios import truth
from pipelines.scenarios.decisions import decide
from pipelines.scenarios.education import advice, courses, planning
from pipelines.scenarios.education.beliefs import Belief, believed
from pipelines.scenarios.education.courses import COURSES, GAMMA, STATES
from pipelines.scenarios.education.episodes import MOST_COURSES
from pipelines.scenarios.education.outcomes import MASTERED_LOGIT, NEXT_SCORE, SCORE_NOISE
from pipelines.scenarios.education.world import GAPS, LAYOUT, WORLD
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.streams import Bools, Floats, Ints

EPISODES = 5_000  # pupils by whom a policy is judged: standard error of its value below 0.25 points
_DRAWS = 64  # from a belief: the error of a probability adds less than 0.001 to the AUC's
IMPROVEMENTS = 4  # rounds of policy improvement; more change the value by less than its standard error
_VIEWS = 100  # draws of what is shown, per state

Policy: TypeAlias = Callable[["Glimpse"], Floats]
"""Probabilities `[n, A]` of the courses."""


@dataclass(frozen=True)
class Glimpse:
    """What is shown of pupils in some states, drawn without rendering."""

    state: Ints
    shown: Mapping[str, Floats]
    present: Mapping[str, Bools]
    allowed: Bools


@dataclass(frozen=True)
class Class:
    """Rows of the history without the rendering, and what became of them."""

    sight: Glimpse
    hidden: Floats
    prior: Floats
    """`[S]` shares of the states among the rows."""
    mastered: Bools
    score: Floats


def glimpse(hidden: Floats, state: Ints, rng: np.random.Generator) -> Glimpse:
    """Views of latents `[n, L]`, drawn anew."""
    views = {m: WORLD.shown(m, hidden, rng.standard_normal((len(hidden), len(WORLD.views[m])))) for m in WORLD.views}
    shown = {m: WORLD.standardized(m, view) for m, view in views.items()}
    present = GAPS.present_where(rng.random((len(hidden), len(GAPS.absent))))
    return Glimpse(state, shown, present, advice.allowed_courses(shown, present))


def latents(state: Ints, rng: np.random.Generator) -> Floats:
    """`[n, L]` latents of pupils in these states, the others drawn anew."""
    hidden = rng.standard_normal((len(state), len(WORLD.names)))
    hidden[:, courses.columns_of_moved()] = courses.values_of(state)
    return hidden


def draw_class(rows: int = truth.POPULATION, seed: int = 0) -> Class:
    """Rows as they stand in the history, of places at school that are followed for a term each."""
    rng = truth.population_rng(seed)
    lengths = np.resize(LAYOUT.episodes, rows * len(LAYOUT.episodes) // LAYOUT.block_rows)
    state = courses.start(rng.random((len(lengths), len(courses.MOVED))))
    found = []
    for step in range(max(LAYOUT.episodes)):
        found.append(state[lengths > step])
        taken = _advised(state, rng)
        fresh = courses.start(rng.random((len(state), len(courses.MOVED))))
        state = np.where(taken.graduates, fresh, taken.state)
    states = np.concatenate(found)
    hidden = latents(states, rng)
    shares = np.bincount(states, minlength=len(STATES)) + 1.0
    mastered = rng.random(len(states)) < sigmoid(MASTERED_LOGIT(hidden))
    score = NEXT_SCORE(hidden) + SCORE_NOISE * rng.standard_normal(len(states))
    return Class(glimpse(hidden, states, rng), hidden, shares / shares.sum(), mastered, score)


def _advised(state: Ints, rng: np.random.Generator) -> courses.Taken:
    now = glimpse(latents(state, rng), state, rng)
    made = decide(advice.chances(now.shown, now.present, now.allowed), rng.random(len(state)))
    return courses.take(state, made.action, rng.random(len(state)))


def scores(drawn: Class, modalities: Sequence[str], seed: int = 0) -> truth.Scores:
    """Scores of the Bayes predictors of both labels that see these modalities where they are present."""
    known = believed(drawn.sight.shown, drawn.sight.present, modalities, drawn.prior)
    chance = mastered_chance(known, truth.population_rng(seed, 1))
    return _scored(drawn, chance, NEXT_SCORE(known.mean))


def _scored(drawn: Class, chance: Floats, score: Floats) -> truth.Scores:
    return {
        "mastered": truth.binary_scores(drawn.mastered, chance),
        "next_score": truth.regression_scores(drawn.score, score),
    }


def mastered_chance(known: Belief, rng: np.random.Generator, draws: int = _DRAWS) -> Floats:
    """E[sigmoid(logit(z))] `[n]` under the belief, by Monte Carlo that is stratified in the state, antithetic else."""
    moved, rows = courses.columns_of_moved(), len(known.mean)
    cumulative, total = known.state.cumsum(axis=1)[:, :-1], np.zeros(rows)
    normal = rng.standard_normal((draws // 2, known.mean.shape[1]))
    places = (rng.permutation(draws) + rng.random(draws)) / draws
    for place, offset in zip(places.tolist(), np.concatenate([normal, -normal]), strict=True):
        hidden = known.mean + known.deviation * offset
        hidden[:, moved] = courses.values_of((cumulative <= place).sum(axis=1))
        total += sigmoid(MASTERED_LOGIT(hidden))
    return total / draws


def value(policy: Policy, episodes: int = EPISODES, seed: int = 0) -> float:
    """Mean discounted return of a policy, in points, by following pupils until they graduate."""
    rng = truth.population_rng(seed, 2)
    state, total = courses.start(rng.random((episodes, len(courses.MOVED)))), 0.0
    for step in range(MOST_COURSES):
        now = glimpse(latents(state, rng), state, rng)
        taken = courses.take(state, decide(policy(now), rng.random(len(state))).action, rng.random(len(state)))
        total += GAMMA**step * float(taken.reward.sum())
        state = taken.state[~taken.graduates]
        if not len(state):
            break
    return total / episodes


def greedy(values: Floats, allowed: Bools) -> Floats:
    """`[n, A]` all probability on the allowed course of the largest value."""
    return np.asarray(np.eye(len(COURSES))[np.where(allowed, values, -np.inf).argmax(axis=1)])


def from_belief(values: Floats, modalities: Sequence[str], prior: Floats) -> Policy:
    """Takes the course of the largest Σ_s P(s|views) Q(s, a) for these values `[S, A]`."""

    def policy(now: Glimpse) -> Floats:
        return greedy(believed(now.shown, now.present, modalities, prior).state @ values, now.allowed)

    return policy


def improved(modalities: Sequence[str], prior: Floats, seed: int = 0) -> Policy:
    """The best policy that we know of those that see these modalities of one record at a time.

    Policy iteration: Q of the last policy for every state, exact but for the draws of what is shown there; then the
    course of the largest expected Q for every belief. It begins with the values of who knows the state.
    """
    rng = truth.population_rng(seed, 3)
    state = np.repeat(np.arange(len(STATES)), _VIEWS)
    now = glimpse(latents(state, rng), state, rng)
    values, found = planning.optimal(), []
    for _ in range(IMPROVEMENTS):
        policy = from_belief(values, modalities, prior)
        values = planning.followed(policy(now).reshape(len(STATES), _VIEWS, -1).mean(axis=1))
        found.append((float(start_shares() @ _worth(values, policy(now))), policy))
    return max(found, key=lambda pair: pair[0])[1]


def _worth(values: Floats, taken: Floats) -> Floats:
    """`[S]` mean value of what is taken `[S * _VIEWS, A]`."""
    worth: Floats = (taken.reshape(len(STATES), _VIEWS, -1).mean(axis=1) * values).sum(axis=1)
    return worth


def start_shares() -> Floats:
    """`[S]` shares of the states among new pupils."""
    shares = [np.array(one)[np.array(STATES)[:, i]] for i, one in enumerate(courses.STARTS)]
    product: Floats = np.prod(shares, axis=0)
    return product


def policy_values(prior: Floats) -> dict[str, Any]:
    """Mean discounted return, in points, of the logging policy, of the best ones, and of short-sighted ones."""
    rewards, optimal = courses.model().expected_reward(), planning.optimal()

    def always(name: str) -> Policy:
        return lambda now: np.tile(np.eye(len(COURSES))[COURSES.index(name)], (len(now.state), 1))

    policies: dict[str, Policy] = {
        "logging_policy": lambda now: advice.chances(now.shown, now.present, now.allowed),
        "best_policy": improved(WORLD.modalities, prior),
        "oracle": lambda now: greedy(optimal[now.state], now.allowed),
        "short_sighted": from_belief(rewards, WORLD.modalities, prior),
        "uniform": lambda now: now.allowed / now.allowed.sum(axis=1, keepdims=True),
        **{f"always_{name}": always(name) for name in COURSES if name != "advance"},  # not allowed to everybody
    }
    single = {modality: value(improved([modality], prior)) for modality in WORLD.modalities}
    return {**{name: value(policy) for name, policy in policies.items()}, "best_policy_of_one_modality": single}


def best(rows: int = truth.POPULATION) -> dict[str, Any]:
    """What truth/best.json holds."""
    drawn = draw_class(rows)
    main = {"mastered": "auc", "next_score": "r2"}
    return {
        "rows": len(drawn.score),
        **truth.compared(WORLD.modalities, lambda known: scores(drawn, known), main),
        "latents_known": _scored(drawn, sigmoid(MASTERED_LOGIT(drawn.hidden)), NEXT_SCORE(drawn.hidden)),
        "gain": policy_values(drawn.prior),
    }
