"""Judging a policy on a log: what is said, what is not said, and that what is said is right."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.arrow import Bool, Int64
from models.evaluate.judgement import EPISODES, MODEL_BASED, SINGLE, Judge, Judgement, histogram, judge
from models.evaluate.logged import Logged
from models.evaluate.seen import Seen, seen_by
from models.heads.base import DecisionHead, DecisionHeadSpec
from models.learn.deciding import policy_of
from models.learn.decisions import Decisions
from tests.models.evaluate.worlds import LOGGING, TARGET, episode_value, episodes, seen, true_value
from tests.models.learn.logs import head, single, world


def unmodelled(log: Seen) -> Seen:
    """Without the right model: one must be learned."""
    return replace(log, logged=replace(log.logged, model=None))


@pytest.fixture(scope="module")
def of_single() -> Judgement:
    """4,000 decisions of 2,000 customers."""
    return Judge(draws=500)(unmodelled(seen(4000, 1)))


@pytest.fixture(scope="module")
def of_episodes() -> Judgement:
    """800 episodes of up to 5 decisions."""
    return Judge(draws=500)(unmodelled(episodes(800, 1)))


def acting(spec: DecisionHeadSpec) -> DecisionHead:
    """A head with random preferences and values."""
    module = spec.build().eval()
    with torch.no_grad():
        for parameter in [*module.preferences.parameters(), *module.values.parameters()]:
            parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    return module


def test_the_headline_is_doubly_robust_and_right(of_single: Judgement, of_episodes: Judgement) -> None:
    """Its interval holds the true value; a policy that is really better is called better."""
    for judgement, truth in ((of_single, true_value()), (of_episodes, episode_value(TARGET))):
        value, (low, high) = judgement.estimates[judgement.headline]
        assert judgement.headline == "doubly_robust"
        assert low < truth < high
        assert low < value < high
    assert of_episodes.better
    assert of_episodes.logging.value == pytest.approx(episode_value(LOGGING), abs=0.2)
    assert of_episodes.gain.interval.low > 0.5


def test_what_is_estimated(of_single: Judgement, of_episodes: Judgement) -> None:
    """Different estimators where decisions follow each other; the model's own word has no interval."""
    assert list(of_single.estimates) == list(SINGLE)
    assert list(of_episodes.estimates) == list(EPISODES)
    for judgement in (of_single, of_episodes):
        alone = {name for name, found in judgement.estimates.items() if np.isnan(found.interval.low)}
        assert alone == set(judgement.estimates) & MODEL_BASED
    assert {"direct", "fitted_q"} == MODEL_BASED


def test_the_json_is_strict_and_labels_what_is_model_based(of_single: Judgement) -> None:
    """The card can hold it."""
    found = json.loads(json.dumps(of_single.as_json(), allow_nan=False))

    assert found["estimates"]["direct"]["model_based"] is True
    assert found["estimates"]["direct"]["low"] is None
    assert found["estimates"]["doubly_robust"]["model_based"] is False
    assert found["propensities"] == "logged"
    assert sum(found["weights"]["counts"]) == found["rows"] == 4000
    assert len(found["weights"]["edges"]) == len(found["weights"]["counts"]) + 1


def test_the_logging_policy_is_not_better_than_itself() -> None:
    """Its gain is nothing, on either side of 0."""
    log = unmodelled(episodes(800, 2))
    state = log.features.argmax(axis=1) % len(LOGGING)
    logged = replace(log.logged, policy=LOGGING[state])

    found = Judge(draws=500)(replace(log, logged=logged))

    assert not found.better
    assert found.gain.interval.low < 0 < found.gain.interval.high


def test_a_refused_log_gives_no_values() -> None:
    """Only what was logged, and why there is no more."""
    log = seen(4000, 1)
    broken = replace(log.logged, propensity=np.minimum(2 * log.logged.propensity, 1.0))

    found = Judge()(replace(log, logged=broken))

    assert found.refusals
    assert not found.better
    assert found.estimates == {}
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["logging"]["value"] is not None


def test_missing_propensities_are_refused_or_estimated() -> None:
    """By default refused; on demand a model's, and said so. What they lead to is right here: all is in the record."""
    log = unmodelled(seen(4000, 3))
    silent = replace(log, logged=replace(log.logged, propensity=np.full(4000, np.nan)))

    refused, estimated = Judge()(silent), Judge(estimate_propensities=True)(silent)

    assert refused.refusals == ["propensities must be known; got none in 4,000 of 4,000 rows"]
    assert (refused.estimated, estimated.estimated) == (0, 4000)
    assert estimated.as_json()["propensities"] == "estimated"
    low, high = estimated.estimates["doubly_robust"].interval
    assert low < true_value() < high
    assert estimated.estimates["ips"].value == pytest.approx(true_value(), abs=0.1)


def test_known_propensities_are_kept_beside_estimated_ones() -> None:
    """Only what the log does not say is estimated."""
    log = unmodelled(seen(4000, 3))
    some = np.where(np.arange(4000) < 100, np.nan, log.logged.propensity)

    found = Judge(estimate_propensities=True)(replace(log, logged=replace(log.logged, propensity=some)))

    assert (found.estimated, found.refusals) == (100, [])


def test_an_empty_log_says_nothing() -> None:
    """Refused, and not an error."""
    log = seen(4000, 1)
    nothing = Seen(log.logged.take(np.arange(0)), log.features[:0], left_out=7)

    found = Judge()(nothing)

    assert found.refusals == ["the log must hold decisions; got none on the held-out rows"]
    assert (found.better, found.left_out) == (False, 7)


def test_the_same_seed_gives_the_same_judgement(of_episodes: Judgement) -> None:
    """Cards do not change when they are made again."""
    assert Judge(draws=500)(unmodelled(episodes(800, 1))).as_json() == of_episodes.as_json()


def test_what_came_after_a_cut_counts_on_both_sides() -> None:
    """Every episode cut off after its second decision: the log's own policy still is no better than the log."""
    log = unmodelled(episodes(1500, 4))
    kept = np.flatnonzero(log.logged.places.step < 2)
    cut = log.logged.take(kept)
    assert cut.following is not None
    assert log.logged.following is not None
    cut = replace(cut, complete=(cut.following >= 0) | (log.logged.following[kept] < 0))
    features = log.features[kept]
    same = replace(cut, policy=LOGGING[features.argmax(axis=1) % len(LOGGING)])

    found = Judge(draws=500)(Seen(same, features))

    assert found.cut > 1000
    assert found.gain.interval.low < 0 < found.gain.interval.high


def test_histogram_of_weights() -> None:
    """Powers of two; a weight of 0 and one beyond the last edge have a place."""
    counts, edges = histogram(np.array([0.0, 0.01, 1.0, 1.99, 2.0, 5000.0]))

    found = {(low, high): n for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True) if n}
    assert found == {(0.0, 2**-6): 2, (1.0, 2.0): 2, (2.0, 4.0): 1, (512.0, 1024.0): 1}


def test_a_head_is_judged_by_the_policy_that_it_publishes() -> None:
    """From embeddings through its own fusion, with ε; the value is right."""
    sample = single(3000, seed=5)
    spec = head("q_learning", sample.log, epsilon=0.4)
    module = acting(spec)

    found = judge(spec, module, sample.log, draws=500)

    low, high = found.estimates["doubly_robust"].interval
    assert found.refusals == []
    assert (found.rows, found.clusters, found.left_out) == (3000, 3000, 0)
    assert low < sample.value(policy_of(spec, module, sample.log)) < high


def test_decisions_that_are_not_known_are_left_out() -> None:
    """Without an action or a reward, a row says nothing."""
    log = single(40).log
    action, reward = log.action.copy(), log.reward.copy()
    action[3], reward[5] = -1, np.nan
    spec = head("q_learning", log)

    found = seen_by(spec, acting(spec), replace(log, action=action, reward=reward))

    assert found.left_out == 2
    assert found.logged.action.tolist() == np.delete(log.action, [3, 5]).tolist()
    assert len(found.features) == len(found.logged) == 38
    assert found.logged.following is None


def episodes_of_two(log: Decisions) -> Decisions:
    """Rows 0 and 1, 2 and 3 … as episodes; every second one was cut off."""
    rows = np.arange(len(log))
    groups = log.groups.take(rows // 2 * 2)
    ended = (rows % 2 == 1) & (rows % 4 == 1)
    return replace(log, groups=groups, episode=rows // 2, following=np.where(rows % 2, -1, rows + 1), terminated=ended)


def test_an_episode_ends_before_what_is_not_known() -> None:
    """As if it had been cut off there; where its first decision is not known, nothing of it is left."""
    log = episodes_of_two(single(8).log)
    reward = log.reward.copy()
    reward[[1, 4]] = np.nan
    spec = head("q_learning", log, gamma=0.9)

    found = seen_by(spec, acting(spec), replace(log, reward=reward))

    logged: Logged = found.logged
    # Rows 0 (its next is unknown), 2 and 3 (cut off), 6 and 7 (cut off) stay; 1, 4 and 5 go.
    assert found.left_out == 3
    assert logged.reward.tolist() == log.reward[[0, 2, 3, 6, 7]].tolist()
    assert _listed(logged.following) == [-1, 2, -1, 4, -1]
    assert _listed(logged.complete) == [False, True, False, True, False]
    assert logged.gamma == 0.9


def _listed(values: Int64 | Bool | None) -> list[object]:
    assert values is not None
    return list(values.tolist())


def test_episodes_of_a_world_are_judged() -> None:
    """Evenly drawn actions in a world of 8 states; the true value of the head's policy lies in the interval."""
    mdp = world()
    log = mdp.logged(1500, 4, seed=1)
    spec = head("q_learning", log, gamma=0.8, epsilon=0.7)
    module = acting(spec)

    found = judge(spec, module, log, draws=500)

    assert found.refusals == []
    states = mdp.states()
    policy = np.zeros((8, 3))
    policy[1:] = policy_of(spec, module, states)
    truth = float((policy * mdp.values(policy, 0.8)).sum(axis=1)[1:].mean())
    low, high = found.estimates["doubly_robust"].interval
    assert low < truth < high
    assert found.cut > 0
