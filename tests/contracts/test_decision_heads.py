"""What every decision head and its learner must keep: a known best policy is found, and what acts is saved."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.artifacts import load, save
from models.heads.base import DecisionHead, DecisionHeadSpec
from models.learn.deciding import FittedPolicy, outputs_of, policy_of, values_of
from models.learn.decisions import Decisions
from models.spec import discover
from tests.models.learn.logs import DECISIONS, EPISODES, head, single, world

KINDS = [kind for kind, spec in discover("head").items() if issubclass(spec, DecisionHeadSpec)]
GAMMAS = [0.0, 0.8]
SHORT: dict[str, Any] = {"steps": 1, "value_steps": 1, "batch_rows": 64, "checks": 1}


def log_of(gamma: float, rows: int = 200, seed: int = 0) -> Decisions:
    """Single decisions or episodes."""
    return world().logged(rows // 5, 10, seed) if gamma else single(rows, seed).log


def fit(kind: str, gamma: float, *, learner: dict[str, Any] | None = None, **settings: Any) -> FittedPolicy:
    """Fit for a moment."""
    log = log_of(gamma)
    spec = head(kind, log, gamma=gamma, learner={**SHORT, **(learner or {})}, **settings)
    return spec.steps.build().fit(spec, None, log, log_of(gamma, seed=1))


@cache
def fitted(kind: str) -> FittedPolicy:
    """One that no test changes."""
    return fit(kind, 0.0, learner={"steps": 20, "value_steps": 20}, values=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_best_policy_of_single_decisions_is_found(kind: str, seed: int) -> None:
    """At least 90 % of the way from the logging policy's true value to the best one on rows of others, thrice."""
    known, others = single(1500, seed), single(2000, seed=99)
    learner = {"steps": 250, "value_steps": 100, "batch_rows": 128, "learning_rate": 3e-3, "seed": seed}
    spec = head(kind, known.log, epsilon=0.02, learner=learner)
    found = spec.steps.build().fit(spec, None, known.log, single(500, seed + 10).log)
    assert others.share_of_best(policy_of(found.spec, found.module, others.log)) > 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_best_policy_of_episodes_is_found(kind: str, seed: int) -> None:
    """At least 90 % of the way from the logging policy's true value to the best one in a small world, thrice."""
    known = world(seed)
    learner = {"steps": 600, "value_steps": 300, "batch_rows": 128, "learning_rate": 3e-3, "seed": seed}
    log, states = known.logged(250, 10, seed), known.states()
    spec = head(kind, log, gamma=0.8, epsilon=0.02, learner=learner)
    found = spec.steps.build().fit(spec, None, log, known.logged(60, 10, seed + 10))
    policy = np.vstack([np.full(3, 1 / 3), policy_of(found.spec, found.module, states)])
    even = known.allowed / known.allowed.sum(axis=1, keepdims=True)
    worth, logged = (float((taken * known.values(taken, 0.8)).sum(axis=1)[1:].mean()) for taken in (policy, even))
    best = float(np.where(known.allowed, known.best_values(0.8), -np.inf).max(axis=1)[1:].mean())
    assert (worth - logged) / (best - logged) > 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gamma", GAMMAS)
def test_one_step_changes_every_trainable_parameter(kind: str, gamma: float) -> None:
    """Nothing is left out of the optimizer: fusion, preferences and values all move. (Two: last layers begin at 0.)"""
    learner = (
        {"steps": 2, "value_steps": 2, "passes": 1} if kind == "policy_gradient" else {"steps": 2, "value_steps": 2}
    )
    after = fit(kind, gamma, learner=learner)
    before = after.spec.build()
    assert isinstance(before, DecisionHead)
    started = dict(before.named_parameters())
    for name, parameter in after.module.named_parameters():
        if started[name].requires_grad:
            assert not torch.equal(parameter, started[name]), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gamma", GAMMAS)
def test_a_frozen_fusion_stays_as_it_was(kind: str, gamma: float) -> None:
    """`tune_fusion: false` leaves every weight of the fusion; the networks behind it learn."""
    after = fit(kind, gamma, tune_fusion=False)
    start = after.spec.fusion_spec().build()
    start.observe(torch.from_numpy(log_of(gamma).x), torch.from_numpy(log_of(gamma).mask))
    for name, tensor in after.module.fusion.state_dict().items():
        assert torch.equal(tensor, start.state_dict()[name]), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tune_fusion", [True, False])
def test_validation_rows_are_not_needed(kind: str, tune_fusion: bool) -> None:
    """Without any the last policy is the one."""
    log = log_of(0.0)
    spec = head(kind, log, tune_fusion=tune_fusion, learner=SHORT)
    [check] = spec.steps.build().fit(spec, None, log, log.take(np.zeros(0, np.int64))).history
    assert (check.step, check.value) == (1, None)


@pytest.mark.parametrize("kind", KINDS)
def test_training_begins_with_the_weights_that_labels_left(kind: str) -> None:
    """The head's own copy starts from the fusion's weights, and the fusion itself is not touched."""
    log = log_of(0.0)
    spec = head(kind, log, tune_fusion=False, learner=SHORT)
    trained = spec.fusion_spec().build()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1)
    left = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    after = spec.steps.build().fit(spec, trained, log, log)
    for name, tensor in left.items():
        assert torch.equal(after.module.fusion.state_dict()[name], tensor)
        assert torch.equal(trained.state_dict()[name], tensor)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_head_acts_as_before(kind: str, tmp_path: Path) -> None:
    """The artifact rebuilds the head with its fusion: the same policy and values, bit by bit."""
    before = fitted(kind)
    save(tmp_path / "head", before.spec, before.module, sources={}, card={})
    loaded = load(tmp_path / "head")
    module = loaded.module
    assert isinstance(module, DecisionHead)
    assert loaded.config.spec == before.spec
    np.testing.assert_array_equal(outputs_of(module, log_of(0.0)), outputs_of(before.module, log_of(0.0)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_weights(kind: str) -> None:
    """And another seed others."""
    one, again, other = (fit(kind, 0.0, learner={"seed": seed}).module.state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_training_leaves_torchs_generator_alone(kind: str) -> None:
    """Whoever draws numbers afterwards gets those that it would have got."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(kind, 0.8)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_a_mixed_policy_over_what_is_allowed(kind: str) -> None:
    """Rows sum to 1; what is allowed has at least its share of ε, what is not has nothing."""
    log = replace(log_of(0.0), allowed=np.random.default_rng(0).random((200, 3)) < 0.6)
    policy = policy_of(fitted(kind).spec, fitted(kind).module, log)
    some = log.allowed.any(axis=1)
    np.testing.assert_allclose(policy.sum(axis=1), some.astype(float))
    shares = np.where(log.allowed, fitted(kind).spec.epsilon / np.maximum(log.allowed.sum(axis=1, keepdims=True), 1), 0)
    assert (policy >= shares - 1e-12).all()
    assert (policy[~log.allowed] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, 6])
def test_published_columns_are_those_promised(kind: str, rows: int) -> None:
    """Types, lengths and no nulls; the probability is that of the action which is published."""
    spec, module = fitted(kind).spec, fitted(kind).module
    log = log_of(0.0).take(np.arange(rows))
    columns = spec.publish_rows("offer", outputs_of(module, log), log.allowed, np.linspace(0, 0.9, rows)).columns
    assert list(columns) == [field.name for field in spec.output_fields("offer")]
    for field in spec.output_fields("offer"):
        assert (columns[field.name].type, len(columns[field.name])) == (field.type, rows)
        assert (field.nullable, columns[field.name].null_count) == (False, 0)
    chosen = spec.action_index(columns["action_offer"])
    policy, values = policy_of(spec, module, log), values_of(spec, module, log)
    at = np.arange(rows)
    np.testing.assert_array_equal(columns["prob_offer"].to_numpy(), policy[at, chosen].astype(np.float32))
    np.testing.assert_array_equal(columns["value_offer"].to_numpy(), values[at, chosen])


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_allowed_nothing_is_decided(kind: str) -> None:
    """The action is empty, its probability 0, and the row's issues say so."""
    spec = fitted(kind).spec
    published = spec.publish_rows("offer", np.zeros((1, 6), np.float32), np.zeros((1, 3), np.bool_), np.zeros(1))
    assert published.columns["action_offer"].to_pylist() == [""]
    assert published.columns["prob_offer"].to_pylist() == [0]
    assert {code: rows.tolist() for code, rows in published.issues.items()} == {"nothing_allowed": [True]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_spec_survives_its_settings_and_pickle(kind: str) -> None:
    """With its fusion, its actions and its unit."""
    spec = fitted(kind).spec
    settings = spec.settings()
    assert settings.pop("kind") == kind
    assert type(spec).model_validate(settings) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301  # our own bytes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({**DECISIONS, "gamma": 0.5}, "gamma must be 0 unless episode and step are given"),
        ({**DECISIONS, "step": "page"}, "episode and step must be given together"),
        ({**EPISODES, "gamma": 1.0}, "gamma"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(kind: str, settings: dict[str, Any], message: str) -> None:
    """A job file is refused before anything is read."""
    with pytest.raises(ValueError, match=message):
        discover("head")[kind].model_validate(settings)


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_in_a_file_are_learned_alike(kind: str, tmp_path: Path) -> None:
    """A history larger than memory gives the same weights, bit by bit."""
    log = log_of(0.0)
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=log.x.shape)
    mapped[:] = log.x
    spec = head(kind, log, learner=SHORT)
    found = [spec.steps.build().fit(spec, None, replace(log, x=x), log).module.state_dict() for x in (log.x, mapped)]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("tune_fusion", [True, False])
def test_memory_does_not_grow_with_embeddings_in_a_file(tune_fusion: bool, tmp_path: Path) -> None:
    """41 MB of embeddings in a file: training and scoring never hold 12 MB of arrays at once."""
    rows, inputs = single(20_000).log, {"photo": 256, "visits": 256}
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=(20_000, 2, 256))
    mapped[:, :, :4] = rows.x
    log = replace(rows, x=mapped, inputs=inputs)
    spec = head("q_learning", log, tune_fusion=tune_fusion, learner=SHORT)
    fusion = spec.fusion_spec().build()
    fit("q_learning", 0.0)  # torch loads its optimizers' modules when they are first used
    tracemalloc.start()
    found = spec.steps.build().fit(spec, fusion, log.take(np.arange(0, 20_000, 2)), log)
    policy_of(found.spec, found.module, log)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12e6


def test_the_suite_saw_both_kinds() -> None:
    """A list of none would pass everything."""
    assert sorted(KINDS) == ["policy_gradient", "q_learning"]


def test_actions_are_names_in_ascending_order() -> None:
    """Numbers and truth values are taken by their names, nulls left out."""
    spec = head("q_learning", log_of(0.0))
    fusion = spec.fusion_spec()
    assert spec.with_actions(pa.array([3, None, 10, 3]), fusion).actions == ("10", "3")
    assert spec.with_actions(pa.array([True, False]), fusion).actions == ("false", "true")
