"""What every registered off-policy estimator must keep: exact on the log's own policy, honest intervals, no order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from models.evaluate.estimates import EstimatorSpec, estimate
from models.evaluate.logged import Logged
from models.spec import discover
from tests.models.evaluate.worlds import TARGET, episode_value, episodes, true_value, world

KINDS = sorted(discover("estimator"))
LOGS = 200


def spec_of(kind: str) -> EstimatorSpec:
    """The kind with its defaults."""
    spec = discover("estimator")[kind]()
    assert isinstance(spec, EstimatorSpec)
    return spec


def value_of(kind: str, logged: Logged) -> float:
    """The kind's estimate."""
    return spec_of(kind).build()(logged).value


def as_logged(logged: Logged) -> Logged:
    """Judged is the policy that logged (weights are 1); the model knows every return beforehand."""
    propensity = np.full(len(logged), 0.5)
    policy = np.full_like(logged.policy, 0.5 / (logged.allowed.shape[1] - 1))
    policy[np.arange(len(logged)), logged.action] = 0.5
    to_go = logged.reward.copy()
    for row in reversed(range(len(logged))):
        after = -1 if logged.following is None else logged.following[row]
        to_go[row] += logged.gamma * to_go[after] if after >= 0 else 0.0
    model = np.repeat(to_go[:, None], logged.allowed.shape[1], axis=1)
    return replace(logged, propensity=propensity, policy=policy, model=model)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("log", [world(300, 0), episodes(80, 0).logged], ids=["single", "episodes"])
def test_exact_on_the_logging_policy(kind: str, log: Logged) -> None:
    """All weights 1 and a model that is right: the mean return of the log, nothing else."""
    logged = as_logged(log)

    assert value_of(kind, logged) == pytest.approx(logged.returns.mean(), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("log", [world(300, 0), episodes(80, 0).logged], ids=["single", "episodes"])
def test_the_order_of_rows_does_not_matter(kind: str, log: Logged) -> None:
    """Neither to the value nor to its group sums."""
    rows = np.random.default_rng(0).permutation(len(log))

    assert value_of(kind, log.take(rows)) == pytest.approx(value_of(kind, log), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_held_twice_says_the_same(kind: str) -> None:
    """The same customers' rows again: the same value, and the same interval, since groups are drawn, not rows."""
    log = world(300, 0)
    twice = log.take(np.tile(np.arange(300), 2))

    once, again = (estimate(spec_of(kind).build()(of), of, draws=200) for of in (log, twice))

    assert again.value == pytest.approx(once.value, rel=1e-9)
    assert again.interval == pytest.approx(once.interval, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_cover_the_true_value(kind: str) -> None:
    """In 200 logs of 400 rows, 95 % intervals cover in 91 to 99 of 100 (±2.6 standard deviations of such a count)."""
    covered = 0
    for seed in range(LOGS):
        log = world(400, 10_000 + seed)
        low, high = estimate(spec_of(kind).build()(log), log, draws=200, seed=seed).interval
        covered += low <= true_value() <= high

    assert 0.91 <= covered / LOGS <= 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_whether_a_model_is_needed_is_said(kind: str) -> None:
    """Without a model, an estimator that says it needs none gives a value, and the others do not."""
    log = replace(world(300, 0), model=None)

    if spec_of(kind).needs_model:
        with pytest.raises(AssertionError):
            value_of(kind, log)
    else:
        assert np.isfinite(value_of(kind, log))


def test_values_of_episodes_are_found_too() -> None:
    """Every kind that is not biased by design is near the true value of 5,000 episodes."""
    log = episodes(5000, 1).logged

    found = {kind: value_of(kind, log) for kind in KINDS}

    assert found == {kind: pytest.approx(episode_value(TARGET), abs=0.25) for kind in KINDS}


def test_groups_of_rows_without_a_group_are_one() -> None:
    """Null is a group as any other."""
    log = replace(world(4, 0), groups=pa.array(["a", None, None, "b"]))

    assert len(log.groups.unique()) == 3
    assert np.isfinite(estimate(spec_of("ips").build()(log), log, draws=10).interval.low)
