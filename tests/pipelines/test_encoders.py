"""Encoders of our own in `amalgam train`: trained once, on rows of their own, and the same after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.artifacts import load_card
from models.encoders._learned import LearnedEncoderSpec
from models.errors import ConfigError
from models.learn.encoder_labels import LabelsLearner
from models.learn.labels import LabelsSpec
from models.statistics import load_statistics, save_statistics
from pipelines import encoders
from pipelines.encoder_preparing import prepare
from pipelines.encoder_rows import Part, PrepareUnits, least_positions, read_rows
from pipelines.encoders import Result, train_encoders
from pipelines.fit import plan_history
from pipelines.history import parts
from pipelines.job import Job
from pipelines.recipes import (
    embedding_recipe,
    encoder_folder,
    nightly_recipe,
    resolved_modalities,
    statistics_folder,
    with_statistics,
)
from tests.pipelines.tiny_jobs import NIGHT, SOURCE, make_job
from tests.transforms.parquet_inputs import flip_byte, write_folder
from transforms.recall.keys import store_key

ROWS = 240
NOTE = {"type": "text", "column": "note", "encoder": {"kind": "rnn", "dim": 16, "vocabulary": 300, "hidden": 16}}
PROFILE = {**SOURCE["modalities"]["profile"], "encoder": {"kind": "table", "dim": 16, "hidden": 16}}
LEARNED = {"note": NOTE, "profile": PROFILE}
HEADS = {"churn": {"kind": "classifier", "label": "churned", "hidden": 4}}
LEARNER: dict[str, Any] = {"kind": "labels", "epochs": 2, "device": "cpu"}


def history(rows: int = ROWS) -> pa.Table:
    """Two rows a customer, with a label; every tenth without a note."""
    numbers = range(rows)
    return pa.table(
        {
            "id": [f"r{i}" for i in numbers],
            "customer": [f"c{i // 2}" for i in numbers],
            "note": pa.array([None if i % 10 == 0 else f"bought {i % 7} red shoes" for i in numbers], pa.string()),
            "age": pa.array([20.0 + i % 50 for i in numbers]),
            "segment": [("gold", "silver", "other")[i % 3] for i in numbers],
            "churned": [i % 7 < 3 for i in numbers],
        }
    )


def job_in(folder: Path, *overrides: str, learner: Mapping[str, Any] = LEARNER, **changes: Any) -> Job:
    """A job whose two encoders learn, with its history in two files."""
    half = ROWS // 2
    write_folder(folder / "history", {f"{i}.parquet": history().slice(i * half, half) for i in range(2)})
    training = {"path": "history", "split": {"by": "customer"}, "encoders": dict(learner)}
    return make_job(folder, *overrides, **{"modalities": LEARNED, "heads": HEADS, "training": training, **changes})


def again(folder: Path, *overrides: str, **changes: Any) -> Job:
    """The job of the same folder with other settings; its history stays as it is."""
    training = {"path": "history", "split": {"by": "customer"}, "encoders": LEARNER}
    return make_job(folder, *overrides, **{"modalities": LEARNED, "heads": HEADS, "training": training, **changes})


def statuses(results: Sequence[Result]) -> dict[str, str]:
    """Modality -> what became of its encoder."""
    return {result.modality: result.status for result in results}


def weights(job: Job) -> dict[str, bytes]:
    """Every file of every encoder's artifact."""
    folders = [encoder_folder(job, name) for name in LEARNED]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for f in folders for path in sorted(f.iterdir())}


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job's folder in which the encoders are trained; tests only look at it."""
    folder = tmp_path_factory.mktemp("encoders") / "stood"
    train_encoders(job_in(folder))
    return folder


def stale(job: Job) -> set[str]:
    """The encoders that training would train now."""
    return set(encoders._Stage.of(job).todo())


def test_encoders_are_trained_and_then_used(tmp_path: Path) -> None:
    """Artifacts with cards lie under the modalities' names, and a night's recipe names them."""
    job = job_in(tmp_path)

    results = train_encoders(job)

    assert statuses(results) == {"note": "trained", "profile": "trained"}
    assert {path.name for path in (job.artifacts / "encoders").iterdir()} == {"note", "profile"}
    recipe = embedding_recipe(job, plan_history(job).schema, ())
    built = [recipe.encoders[name] for name in LEARNED]
    assert [isinstance(encoder, LearnedEncoderSpec) and bool(encoder.trained) for encoder in built] == [True, True]
    assert recipe.encoders["note"].build()(pa.array(["red shoes"])).shape == (1, 16)


def test_a_job_without_such_encoders_trains_none(tmp_path: Path) -> None:
    """Nothing is read for that, and no row is kept from fusion and heads."""
    job = make_job(tmp_path, training={"path": "nowhere", "split": {"by": "customer"}}, heads=HEADS)

    assert train_encoders(job) == []
    assert not parts(job).encoders(pa.array([f"c{i}" for i in range(100)])).any()


def test_encoders_learn_from_rows_that_nothing_else_does(tmp_path: Path) -> None:
    """By groups: those of the encoders' part, and none that is held out."""
    job = job_in(tmp_path)
    inputs = plan_history(job)
    modalities = with_statistics(job, resolved_modalities(job, inputs.schema, "history"))
    found = {name: modality.encoder for name, modality in job.modalities.items()}

    rows = prepare(job, inputs, modalities, found, ["churned"], tmp_path / "rows", [])

    assert rows is not None
    customers = history().column("customer").combine_chunks()
    mine = parts(job).encoders(customers)
    assert 0 < mine.sum() < ROWS
    assert sorted(rows.groups.to_pylist()) == sorted(customers.filter(pa.array(mine)).to_pylist())
    for other in (parts(job).training, parts(job).validation, parts(job).held_out):
        assert not other(rows.groups).any()
    assert len(rows.present("note")) < len(rows)


def test_what_has_not_changed_is_not_trained_again(stood: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time no row is read, and the artifacts stay as they are, byte by byte."""
    job = again(stood)
    before = weights(job)
    monkeypatch.setattr(encoders._Stage, "rows", lambda *_: pytest.fail("rows were read"))

    results = train_encoders(job)

    assert statuses(results) == {"note": "as trained", "profile": "as trained"}
    assert weights(job) == before


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("modalities.note.encoder.hidden=32", {"note"}),
        ("modalities.note.normalize=NFKC", {"note"}),
        ("heads.churn.hidden=8", {"note", "profile"}),
        ("training.encoders.epochs=1", {"note", "profile"}),
        ("training.split.seed=1", {"note", "profile"}),
        ("fusion.dim=16", set()),
    ],
)
def test_what_an_encoder_hangs_on_trains_it_anew(stood: Path, override: str, expected: set[str]) -> None:
    """Its settings, its cleaning, what it learns from and how; not what comes after it."""
    assert stale(again(stood, override)) == expected


def test_other_data_train_all_anew(tmp_path: Path) -> None:
    """A row more is another history."""
    train_encoders(job_in(tmp_path))
    write_folder(tmp_path / "history", {"2.parquet": history(1)})

    assert stale(again(tmp_path)) == {"note", "profile"}


def test_a_training_that_was_killed_ends_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first of two encoders: that one is kept, and every byte of both is as without the kill."""
    job = job_in(tmp_path)
    train_encoders(job)
    undisturbed = weights(job)
    shutil.rmtree(job.artifacts / "encoders")
    fit = LabelsLearner.fit

    def killed(self: LabelsLearner, found: Mapping[str, LearnedEncoderSpec], *args: Any) -> Any:
        if "profile" in found:
            raise KeyboardInterrupt
        return fit(self, found, *args)

    monkeypatch.setattr(LabelsLearner, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        train_encoders(job)
    monkeypatch.setattr(LabelsLearner, "fit", fit)

    assert statuses(train_encoders(job)) == {"note": "as trained", "profile": "trained"}

    assert weights(job) == undisturbed
    assert {path.name for path in (job.artifacts / "encoders").iterdir()} == {"note", "profile"}


def test_rows_that_were_prepared_are_not_prepared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Units whose file stands are read from it."""
    job = job_in(tmp_path)
    inputs = plan_history(job)
    modalities = with_statistics(job, resolved_modalities(job, inputs.schema, "history"))
    found = {name: modality.encoder for name, modality in job.modalities.items()}
    first = prepare(job, inputs, modalities, found, [], tmp_path / "rows", [])
    monkeypatch.setattr(PrepareUnits, "process", lambda *_: pytest.fail("a unit was prepared"))

    second = prepare(job, inputs, modalities, found, [], tmp_path / "rows", [])

    assert first is not None
    assert second is not None
    assert second.groups.equals(first.groups)


def test_no_more_rows_are_read_than_wanted(tmp_path: Path) -> None:
    """About as many as `max_rows`, chosen by a hash of the key: the same whatever the files are."""
    job = job_in(tmp_path, "training.encoders.max_rows=30")
    inputs, limits = plan_history(job), job.execution.limits()
    part = Part("id", "customer", parts(job))

    bound = least_positions(part, inputs.units, inputs.schema, 30, limits)

    batch = history().combine_chunks().to_batches()[0]
    positions = part.positions(batch)[part.groups(batch)]
    assert (positions < bound).sum() == 30
    assert least_positions(part, inputs.units, inputs.schema, ROWS, limits) == 1.0
    results = train_encoders(job)
    assert {result.rows for result in results if result.modality == "profile"} == {30}


def test_pairs_are_learned_together(tmp_path: Path) -> None:
    """One that has changed trains all, since they share a space; heads play no part."""
    learner = {"kind": "contrastive", "epochs": 1, "device": "cpu", "batch_rows": 32}
    training = {"path": "history", "split": {"by": "customer"}, "encoders": learner}
    train_encoders(job_in(tmp_path, learner=learner))

    assert stale(again(tmp_path, "heads.churn.hidden=8", training=training)) == set()
    assert stale(again(tmp_path, "modalities.note.encoder.hidden=32", training=training)) == {"note", "profile"}


def test_encoders_without_weights_take_part_in_pairs(tmp_path: Path) -> None:
    """The text is embedded by hashes, the table learns to lie close to it."""
    learner = {"kind": "contrastive", "epochs": 1, "device": "cpu", "batch_rows": 32}
    job = job_in(tmp_path, learner=learner, modalities={"note": SOURCE["modalities"]["note"], "profile": PROFILE})

    assert statuses(train_encoders(job)) == {"profile": "trained"}
    assert "validation_loss" not in load_card(encoder_folder(job, "profile"))["metrics"]


def test_untrained_encoders_stop_a_night_with_their_paths(tmp_path: Path) -> None:
    """All of them at once, with the command that helps."""
    job = job_in(tmp_path)

    with pytest.raises(ConfigError) as caught:
        nightly_recipe(job, plan_history(job).schema, NIGHT)

    assert [problem.path for problem in caught.value.problems] == [
        "modalities.note.encoder",
        "modalities.profile.encoder",
    ]
    assert all("run `amalgam train JOB`" in problem.message for problem in caught.value.problems)


def test_statistics_that_changed_make_an_encoder_stale(stood: Path, tmp_path: Path) -> None:
    """It has learned from numbers that were normalized otherwise; a text is not concerned."""
    shutil.copytree(stood, tmp_path / "job")
    job = again(tmp_path / "job")
    statistics = load_statistics(statistics_folder(job))
    age = statistics["profile"]["age"].model_copy(update={"mean": 41.0})
    save_statistics(statistics_folder(job), {"profile": {**statistics["profile"], "age": age}}, {})

    with pytest.raises(ConfigError, match="must be used with the cleaning that it was trained on") as caught:
        embedding_recipe(job, plan_history(job).schema, ())

    assert [problem.path for problem in caught.value.problems] == ["modalities.profile.encoder"]


def test_what_is_known_of_other_weights_is_not_recalled(tmp_path: Path) -> None:
    """Recipes and stores of embeddings go by the weights."""
    job = job_in(tmp_path)
    schema = plan_history(job).schema
    train_encoders(job)
    before = embedding_recipe(job, schema, ())
    other = again(tmp_path, "training.encoders.seed=1")
    train_encoders(other)
    after = embedding_recipe(other, schema, ())

    assert before.fingerprint != after.fingerprint
    keys = [store_key(recipe.modalities["note"], recipe.encoders["note"], "cpu") for recipe in (before, after)]
    assert keys[0] != keys[1]


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    """A share so small that no group falls into it."""
    job = job_in(tmp_path, "training.encoders.share=0.0001")

    with pytest.raises(ConfigError, match="must leave encoders at least one row to learn from; got none") as caught:
        train_encoders(job)

    assert caught.value.problems[0].path == "training.encoders.share"


# The job file --------------------------------------------------------------------------------------------------------


def test_labels_are_what_encoders_learn_from_by_default(tmp_path: Path) -> None:
    """A job that names no learner of encoders has one."""
    job = make_job(tmp_path, training={"path": "history", "split": {"by": "customer"}})

    assert job.need_training("train").encoders == LabelsSpec()


@pytest.mark.parametrize(
    ("learner", "path", "words"),
    [
        ({"kind": "supervised"}, "training.encoders.kind", "must be contrastive or labels; got 'supervised'"),
        ({"kind": "lables"}, "training.encoders.kind", "did you mean 'labels'?"),
        ({"kind": "labels", "shares": 0.5}, "training.encoders.shares", "did you mean 'share'?"),
        ({"kind": "labels", "share": 1}, "training.encoders.share", "must be less than 1; got 1"),
        ("labels", "training.encoders", "must be a mapping with the key 'kind'; got 'labels'"),
    ],
)
def test_problems_of_the_learner_are_told_with_the_others(
    tmp_path: Path, learner: object, path: str, words: str
) -> None:
    """Each with its path, beside what else is wrong in the section."""
    with pytest.raises(ConfigError) as caught:
        make_job(tmp_path, training={"path": "history", "split": {"bye": "customer"}, "encoders": learner})

    found = {problem.path: problem.message for problem in caught.value.problems}
    assert words in found[path]
    assert "training.split.bye" in found


def test_an_unreadable_row_group_teaches_nothing(tmp_path: Path) -> None:
    """The others do; the run that embeds the history counts what was lost."""
    job = job_in(tmp_path)
    flip_byte(tmp_path / "history" / "0.parquet", row_group=0, column=0)  # the key; a row group holds 100 rows
    inputs = plan_history(job)
    modalities = with_statistics(job, resolved_modalities(job, inputs.schema, "history"))
    found = {name: modality.encoder for name, modality in job.modalities.items()}

    rows = prepare(job, inputs, modalities, found, [], tmp_path / "rows", [])

    customers = history().column("customer").combine_chunks().slice(100)
    expected = customers.filter(pa.array(parts(job).encoders(customers)))
    assert rows is not None
    assert rows.groups.to_pylist() == expected.to_pylist()
    again_read = read_rows(tmp_path / "rows", inputs.units)
    assert again_read is not None
    assert np.array_equal(again_read.present("profile"), np.arange(len(expected)))
