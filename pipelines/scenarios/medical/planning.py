"""The optimal care: dynamic programming over what is believed, exact for tests whose results are cut into bins."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import erf, sqrt

import numpy as np

from pipelines.scenarios.medical.care import BENEFITS, COSTS, GAMMA
from pipelines.scenarios.medical.world import DIAGNOSES, MEANS, PRIOR, SIGNS, TESTS, WITHIN
from pipelines.scenarios.streams import Bools, Floats

BINS = 8  # of a test's result: the mean value, 7.652, is 0.003 below that with 10 bins and 0.006 below that with 13
_CHUNK = 100  # rows at a time: 9⁴ states each


@cache
def likelihoods(bins: int) -> Floats:
    """`[4 tests, bins + 1, 4 diagnoses]` probability of each bin; the last entry, 1, is for a test not done.

    A test's result given the diagnosis D is N(μ_D, σ²); bins are equally likely over all patients.
    """
    out = np.ones((len(TESTS), bins + 1, len(DIAGNOSES)))
    for index in range(len(TESTS)):
        means, within = MEANS[:, len(SIGNS) + index], WITHIN[len(SIGNS) + index]
        grid = np.linspace(-6, 6, 2_001)
        below = np.array([[0.5 + 0.5 * erf((x - m) / within / sqrt(2)) for m in means] for x in grid])  # [2001, 4]
        edges = np.searchsorted(below @ PRIOR, np.arange(1, bins) / bins)
        cumulative = np.concatenate([np.zeros((1, len(means))), below[edges], np.ones((1, len(means)))])
        out[index, :bins] = np.diff(cumulative, axis=0)
    return out


def optimal_values(belief: Floats, done: Bools | None = None, bins: int = BINS) -> Floats:
    """`[n, 8]` value of each action (tests, then treatments) if all that follow are optimal; −inf: not allowed.

    With unnormalized beliefs b (b_D = p(D, what was found)), V(b) = max(max_a Σ_D b_D R[a, D],
    max_k −c_k Σ b + γ Σ_g V(b ∘ P_k[g])) over treatments a, tests k not yet done, and their results g: computed
    backwards from where every test is done, for all combinations of results at once.

    Args:
        belief: `[n, 4]` probability of each diagnosis, with the tests that were done taken into account.
        done: `[n, 4]` which those are; none when not given.
        bins: into how many each result is cut; a policy that sees bins is a policy, so this is a lower bound of the
            best policy's value, and meets it as they become many.
    """
    done = np.zeros((len(belief), len(TESTS)), dtype=np.bool_) if done is None else done
    out = np.empty((len(belief), len(TESTS) + len(BENEFITS)))
    for start in range(0, len(belief), _CHUNK):
        rows = slice(start, start + _CHUNK)
        out[rows] = _chunk_values(belief[rows], done[rows], bins)
    return out


def _chunk_values(belief: Floats, done: Bools, bins: int) -> Floats:
    out = np.empty((len(belief), len(TESTS) + len(BENEFITS)))
    for pattern in np.unique(done, axis=0):
        rows = (done == pattern).all(axis=1)
        left = [index for index, is_done in enumerate(pattern.tolist()) if not is_done]
        tests = np.full((int(rows.sum()), len(TESTS)), -np.inf)
        tests[:, left] = _test_values(belief[rows], left, bins)
        out[rows] = np.concatenate([tests, belief[rows] @ BENEFITS.T], axis=1)
    return out


def _test_values(belief: Floats, left: list[int], bins: int) -> Floats:
    """`[n, len(left)]` value of each test that can still be done."""
    count, rows = len(left), len(belief)
    product = np.ones((1, len(DIAGNOSES)))
    for index in left:
        product = (product[:, None] * likelihoods(bins)[index]).reshape(-1, len(DIAGNOSES))
    shape = (*[bins + 1] * count, rows)
    value = np.max([product @ (belief * benefit).T for benefit in BENEFITS], axis=0).reshape(shape)
    mass = (product @ belief.T).reshape(shape)
    tested, untested = slice(0, bins), slice(bins, bins + 1)
    first = np.empty((count, rows))
    for size in range(count - 1, -1, -1):
        for known in combinations(range(count), size):
            here = tuple(tested if place in known else untested for place in range(count))
            for place in set(range(count)) - set(known):
                there = tuple(tested if other == place else cut for other, cut in enumerate(here))
                worth = GAMMA * value[there].sum(axis=place, keepdims=True) - COSTS[left[place]] * mass[here]
                first[place] = worth.reshape(-1) if size == 0 else 0
                value[here] = np.maximum(value[here], worth)
    return first.T
