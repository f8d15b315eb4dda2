"""Tests of which policy decides: the last one published; a new one that is not good enough stands beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from models.artifacts import load_card, load_config, save
from models.errors import ConfigError, Problem
from models.evaluate.base import Interval
from models.evaluate.estimates import UNKNOWN, Estimate
from models.evaluate.judgement import Judgement
from models.heads._decision_spec import DecisionHeadSpec
from models.learn.deciding import FittedPolicy
from models.spec import component
from pipelines.job import Job
from pipelines.policies import Places, Verdict, settle, told, verdict_on
from pipelines.recipes import (
    embedding_sources,
    encoders,
    fusion_folder,
    nightly_recipe,
    policies,
    policy_places,
    resolved_modalities,
    with_statistics,
)
from tests.pipelines.tiny_jobs import NIGHT, make_job, records

OFFER = {"kind": "q_learning", "action": "offer", "reward": "revenue", "allowed": "allowed", "hidden": 4}
SCHEMA = records(0, 1).schema.append(pa.field("allowed", pa.list_(pa.string())))
BETTER = Verdict(True, "better than the log")
WORSE = Verdict(False, "no better than the log")


def job_of(folder: Path, *overrides: str, **changes: Any) -> Job:
    """The tiny job with one head, which decides, and a fusion as training leaves it."""
    job = make_job(folder, *overrides, heads={"offer": {**OFFER, **changes}})
    if not fusion_folder(job).exists():
        save(fusion_folder(job), job.fusion, job.fusion.build(), sources=sources_of(job), card={})
    return job


def sources_of(job: Job) -> dict[str, str]:
    """Modality -> fingerprint of what makes its embeddings."""
    modalities = with_statistics(job, resolved_modalities(job, SCHEMA, "the input"))
    return embedding_sources(modalities, encoders(job, modalities))


def trained(job: Job, verdict: Verdict, day: int = 1, *, seed: int = 0) -> Places:
    """The places of `offer` after it was trained on this day of November with this verdict."""
    learner = {**policies(job)["offer"].steps.model_dump(), "seed": seed}
    settings = {**policies(job)["offer"].settings(), "learner": learner}
    spec = component("head", settings)
    assert isinstance(spec, DecisionHeadSpec)
    spec = spec.with_actions(pa.array(["call", "mail"]), job.fusion)
    policy, places = FittedPolicy(spec, spec.build()), policy_places(job, "offer")
    moment = datetime(2026, 11, day, tzinfo=UTC)
    settle(places, policy, verdict, sources=sources_of(job), card={"job": job.name}, clock=lambda: moment)
    return places


def refused(job: Job) -> Problem:
    """Why no night can be run."""
    with pytest.raises(ConfigError) as caught:
        nightly_recipe(job, SCHEMA, NIGHT)
    [problem] = caught.value.problems
    return problem


# What training leaves -----------------------------------------------------------------------------------------------


def test_a_better_policy_decides_from_then_on(tmp_path: Path) -> None:
    """Its card says since when and why; nothing waits beside it."""
    places = trained(job_of(tmp_path), BETTER, day=3)

    assert load_card(places.published)["policy"] == {
        "trained": "2026-11-03T00:00:00+00:00",
        "published": "2026-11-03T00:00:00+00:00",
        "verdict": "better than the log",
    }
    assert not places.candidate.exists()
    assert told("offer", places) == "offer: the policy of 2026-11-03 decides (q_learning): better than the log"


def test_a_policy_that_is_not_good_enough_stands_beside_the_last_one(tmp_path: Path) -> None:
    """The last one goes on, and the line says of both what they are."""
    job = job_of(tmp_path)
    before = load_config(trained(job, BETTER, day=3).published).fingerprint

    places = trained(job, WORSE, day=20, seed=1)

    assert load_config(places.published).fingerprint == before
    assert load_card(places.candidate)["policy"]["published"] is None
    assert told("offer", places) == (
        "offer: the policy of 2026-11-03 decides (q_learning): better than the log; the one trained 2026-11-20 "
        "(q_learning) does not: no better than the log"
    )


def test_a_better_one_takes_over(tmp_path: Path) -> None:
    """And what waited is gone."""
    job = job_of(tmp_path)
    trained(job, BETTER, day=3)
    trained(job, WORSE, day=10, seed=1)

    places = trained(job, BETTER, day=20, seed=2)

    assert told("offer", places) == "offer: the policy of 2026-11-20 decides (q_learning): better than the log"


@pytest.mark.parametrize("verdict", [BETTER, WORSE])
def test_training_that_gives_the_same_policy_changes_nothing(tmp_path: Path, verdict: Verdict) -> None:
    """It decides since it was first published, and does not wait beside itself."""
    job = job_of(tmp_path)
    trained(job, BETTER, day=3)

    places = trained(job, verdict, day=20)

    assert told("offer", places) == "offer: the policy of 2026-11-03 decides (q_learning): better than the log"
    assert not places.candidate.exists()


def test_the_rule_is_no_part_of_the_policy(tmp_path: Path) -> None:
    """Published under another rule, the same weights are the same policy."""
    one = trained(job_of(tmp_path / "one"), BETTER)
    other = trained(job_of(tmp_path / "other", publish="always"), BETTER)

    assert load_config(one.published).fingerprint == load_config(other.published).fingerprint


# The rule -----------------------------------------------------------------------------------------------------------


def judged(low: float = 3.25, logged: float = 3.0, **changes: Any) -> Judgement:
    """A judgement whose headline has this lower bound, beside what was logged."""
    estimates = {"doubly_robust": Estimate(4.0, Interval(low, 5.0))}
    counts = {"rows": 9, "left_out": 0, "clusters": 9, "episodes": 9, "gamma": 0.0, "estimated": 0, "cut": 0}
    found: dict[str, Any] = {**counts, "refusals": [], "estimates": estimates, "logging": Estimate(logged, UNKNOWN)}
    return Judgement(**{**found, **changes})


def rule(publish: str, judgement: Judgement) -> tuple[bool, str]:
    """What becomes of a policy that was judged so."""
    spec = component("head", {**OFFER, "publish": publish})
    assert isinstance(spec, DecisionHeadSpec)
    return verdict_on(spec, judgement)


@pytest.mark.parametrize(
    ("publish", "low", "published", "words"),
    [
        ("if_better", 3.25, True, "it is worth at least 3.25 (lower bound of 95 %), more than the 3 that was logged"),
        (
            "if_better",
            3.0,
            False,
            "it is worth at least 3 (lower bound of 95 %), which is not above the 3 that was logged",
        ),
        ("always", 2.0, True, "publish is 'always'; it is worth at least 2 (lower bound of 95 %), which is not above"),
        ("never", 3.25, False, "publish is 'never'; it is worth at least 3.25 (lower bound of 95 %), more than the 3"),
    ],
)
def test_the_lower_bound_must_be_above_the_log(publish: str, low: float, published: bool, words: str) -> None:
    """Under `if_better`; the other rules ask nothing, and what was found is said all the same."""
    found, reason = rule(publish, judged(low))

    assert found == published
    assert reason.startswith(words)


@pytest.mark.parametrize(("publish", "published"), [("if_better", False), ("always", True), ("never", False)])
def test_what_cannot_be_told_is_not_better(publish: str, published: bool) -> None:
    """Whatever the numbers would have been; the first reason is given."""
    found, reason = rule(publish, judged(refusals=["propensities must be known; got none", "another"]))

    assert found == published
    assert reason.endswith("its value cannot be told from the held-out log: propensities must be known; got none")


# What a night asks --------------------------------------------------------------------------------------------------


def test_a_published_policy_is_used_with_key_and_date(tmp_path: Path) -> None:
    """The recipe knows its columns, what it draws for and what it reads; no weights are loaded for that."""
    job = job_of(tmp_path)
    trained(job, BETTER)

    recipe = nightly_recipe(job, SCHEMA, NIGHT)

    assert recipe.score is not None
    assert [field.name for field in recipe.score_fields] == ["action_offer", "prob_offer", "value_offer"]
    assert recipe.score.settings()["key"] == "id"
    assert recipe.score.settings()["occasion"] == "shop/2026-11-23"
    assert "allowed" in job.input_columns()


def test_a_policy_must_be_trained(tmp_path: Path) -> None:
    """A random one never acts."""
    assert "run `amalgam train JOB`" in refused(job_of(tmp_path)).message


def test_a_night_without_a_policy_that_may_decide_is_refused(tmp_path: Path) -> None:
    """It says why the one that was trained does not, and what can be done."""
    job = job_of(tmp_path)
    trained(job, WORSE, day=3)

    problem = refused(job)

    assert problem.path == "heads.offer"
    assert "none was published yet, and the one trained 2026-11-03 is not published: no better than" in problem.message
    assert "`amalgam train JOB --set heads.offer.publish=always`" in problem.message


def test_what_is_wrong_with_any_head_is_told_at_once(tmp_path: Path) -> None:
    """One that was never trained, and one that may not decide."""
    heads = {"spend": {"kind": "regressor", "label": "spent"}, "offer": OFFER}
    trained(job_of(tmp_path), WORSE)
    job = make_job(tmp_path, heads=heads)

    with pytest.raises(ConfigError) as caught:
        nightly_recipe(job, SCHEMA, NIGHT)

    assert [problem.path for problem in caught.value.problems] == ["heads.spend", "heads.offer"]


def test_the_last_policy_goes_on_though_the_new_one_was_trained_with_other_settings(tmp_path: Path) -> None:
    """They were tried, and were not good enough."""
    trained(job_of(tmp_path), BETTER)
    changed = job_of(tmp_path, "heads.offer.hidden=8")
    trained(changed, WORSE)

    assert nightly_recipe(changed, SCHEMA, NIGHT).score is not None


def test_settings_that_were_not_tried_are_refused(tmp_path: Path) -> None:
    """What the job file says was never trained."""
    trained(job_of(tmp_path), BETTER)

    problem = refused(job_of(tmp_path, "heads.offer.hidden=8"))

    assert problem == (
        "heads.offer.hidden",
        "must be as it was trained (4); got 8; run `amalgam train` to train it anew",
    )


def test_the_rule_of_publishing_may_change_without_training(tmp_path: Path) -> None:
    """It is for the next training."""
    trained(job_of(tmp_path), BETTER)

    assert nightly_recipe(job_of(tmp_path, "heads.offer.publish=never"), SCHEMA, NIGHT).score is not None


def test_the_last_policy_must_publish_what_the_job_promises(tmp_path: Path) -> None:
    """Columns do not depend on which policy decides."""
    trained(job_of(tmp_path), BETTER)
    changed = job_of(tmp_path, "heads.offer.values=true")
    trained(changed, WORSE)

    assert refused(changed).path == "heads.offer.values"


def test_a_policy_of_other_encoders_is_refused(tmp_path: Path) -> None:
    """Its embeddings are made no more; the message names the modality."""
    trained(job_of(tmp_path), BETTER)
    changed = job_of(tmp_path, "modalities.note.encoder.dim=128")
    save(fusion_folder(changed), changed.fusion, changed.fusion.build(), sources=sources_of(changed), card={})

    problem = refused(changed)

    assert problem.path == "heads.offer"
    assert "must be used with the note that it was trained on" in problem.message


def test_a_last_policy_of_other_encoders_cannot_go_on(tmp_path: Path) -> None:
    """Training again would not help: the new one was not good enough, and the message says both."""
    trained(job_of(tmp_path), BETTER, day=3)
    changed = job_of(tmp_path, "modalities.note.encoder.dim=128")
    save(fusion_folder(changed), changed.fusion, changed.fusion.build(), sources=sources_of(changed), card={})
    trained(changed, WORSE, day=20)

    message = refused(changed).message

    assert "the last one (2026-11-03) reads others, and the one trained 2026-11-20 is not published" in message


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (records(0, 1).schema, "must be a column of the input; got 'allowed'; columns: id, note, age, segment"),
        (
            records(0, 1).schema.append(pa.field("allowed", pa.string())),
            "must be a column of lists of actions; got 'allowed', which holds string",
        ),
    ],
    ids=["missing", "no lists"],
)
def test_what_is_allowed_must_be_known_of_the_nights_rows(tmp_path: Path, schema: pa.Schema, words: str) -> None:
    """Found before any row is read, with its YAML path."""
    job = job_of(tmp_path)
    trained(job, BETTER)

    with pytest.raises(ConfigError) as caught:
        nightly_recipe(job, schema, NIGHT)

    assert caught.value.problems == [Problem("heads.offer.allowed", words)]
