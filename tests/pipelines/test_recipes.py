"""Tests of recipes: intervals, columns that must be there, what fit and train left, and what decides a fingerprint."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from models.artifacts import save
from models.errors import ConfigError, UsageError
from models.heads.regressor import RegressorSpec
from models.schema import FUSED
from models.statistics import NumberStatistics, save_statistics
from pipelines.job import Job
from pipelines.recipes import (
    HISTORY,
    Interval,
    embedding_recipe,
    embedding_sources,
    encoders,
    fusion_folder,
    head_folder,
    nightly_recipe,
    resolved_modalities,
    statistics_folder,
    with_statistics,
)
from tests.pipelines.tiny_jobs import NIGHT, SOURCE, make_job, records

SCHEMA = records(0, 1).schema
SPEND = {"kind": "regressor", "label": "spend", "hidden": 4}
TRAINING = {"path": "history", "split": {"by": "id"}}


# Intervals ----------------------------------------------------------------------------------------------------------


def test_a_day_is_half_open_and_in_utc() -> None:
    """From midnight to midnight."""
    day = Interval.of_day("2026-11-23")

    assert (day.start, day.end) == (datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC))
    assert day.date == "2026-11-23"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "23.11.2026", "2026-11-23T00:00:00"])
def test_what_is_no_day_is_wrong_usage(text: str) -> None:
    """Also a day that does not exist, and a time."""
    with pytest.raises(UsageError, match=f"--date must be a day such as 2026-11-23; got '{text}'"):
        Interval.of_day(text)


@pytest.mark.parametrize(
    ("start", "end", "date"),
    [
        ("2026-11-23T06:00:00", "2026-11-24T06:00:00", "2026-11-23"),  # without a zone it is UTC
        ("2026-11-23T00:30:00+02:00", "2026-11-24T00:30:00+02:00", "2026-11-22"),  # 22:30 of the day before in UTC
        ("2026-11-23T23:30:00-02:00", "2026-11-24T23:30:00-02:00", "2026-11-24"),
        ("2026-11-23T00:00:00Z", "2026-11-23T01:00:00Z", "2026-11-23"),
        ("2026-11-23", "2026-11-24", "2026-11-23"),
    ],
)
def test_the_utc_day_of_the_start_names_the_partition(start: str, end: str, date: str) -> None:
    """Whatever zone the bounds are written in."""
    interval = Interval.of(start, end)

    assert interval.date == date
    assert interval.start.tzinfo == interval.end.tzinfo == UTC
    assert interval.start == (moment := datetime.fromisoformat(start)).replace(tzinfo=moment.tzinfo or UTC)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("noon", "2026-11-24", "--interval-start must be a time in ISO 8601; got 'noon'"),
        ("2026-11-23", "", "--interval-end must be a time in ISO 8601; got ''"),
        ("2026-11-23", "2026-11-23", "--interval-end must be after --interval-start"),
        ("2026-11-23T12:00:00Z", "2026-11-23T13:00:00+02:00", "must be after"),  # 11:00 UTC
    ],
)
def test_what_is_no_interval_is_wrong_usage(start: str, end: str, words: str) -> None:
    """The end is compared with the start in UTC."""
    with pytest.raises(UsageError) as caught:
        Interval.of(start, end)

    assert words in str(caught.value)


# Columns ------------------------------------------------------------------------------------------------------------


def column_problems(folder: Path, schema: pa.Schema, **changes: Any) -> list[tuple[str, str]]:
    """(YAML path, sentence) of everything that is wrong between the job and the input."""
    with pytest.raises(ConfigError) as caught:
        nightly_recipe(make_job(folder, **changes), schema, NIGHT)
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_missing_columns_are_told_at_once(tmp_path: Path) -> None:
    """Key, event time, kept columns and two modalities, each with its path."""
    input_ = {"path": "x", "key": "customer", "event_timestamp": "time"}

    found = column_problems(
        tmp_path, pa.schema([("other", pa.string())]), input=input_, output={"path": "out", "keep": ["city"]}
    )

    assert [path for path, _ in found] == [
        *("input.key", "input.event_timestamp", "output.keep"),
        *("modalities.note", "modalities.profile", "modalities.profile"),
    ]
    assert found[0][1] == "must be a column of the input; got 'customer'; columns: ['other']"


def test_columns_of_a_wrong_type_are_named_with_it(tmp_path: Path) -> None:
    """A key of lists, a time of numbers (seconds? milliseconds?), a note of numbers."""
    schema = pa.schema([("id", pa.list_(pa.int8())), ("t", pa.int64()), ("note", pa.int32()), *list(SCHEMA)[2:]])

    found = column_problems(tmp_path, schema, input={"path": "x", "key": "id", "event_timestamp": "t"})

    assert [path for path, _ in found] == ["input.key", "input.event_timestamp", "modalities.note"]
    assert "got 'id', which holds list<item: int8>" in found[0][1]
    assert "must be a column of timestamps or dates; got 't', which holds int64" in found[1][1]
    assert "int32" in found[2][1]


@pytest.mark.parametrize("column", ["__row__", "issues", "fused", "clean_note", "emb_profile", "share_note"])
def test_an_input_column_may_not_have_a_name_of_the_runs_own(tmp_path: Path, column: str) -> None:
    """The run would read it instead of what it made itself."""
    found = column_problems(tmp_path, SCHEMA.append(pa.field(column, pa.string())))

    assert found == [("input.path", f"must hold no column of a name that the run makes; got {column!r}")]


@pytest.mark.parametrize("column", ["fingerprint", "event_timestamp", "created_timestamp", "has_note"])
def test_other_names_of_the_output_are_free_in_the_input(tmp_path: Path, column: str) -> None:
    """Feature stores' own names are good names for input columns."""
    assert nightly_recipe(make_job(tmp_path), SCHEMA.append(pa.field(column, pa.string())), NIGHT).key == "id"


# What `fit` and `train` left ----------------------------------------------------------------------------------------


def test_statistics_are_asked_for_where_a_modality_needs_them(tmp_path: Path) -> None:
    """Before any row is read, with the command that makes them."""
    job = make_job(tmp_path)
    shutil.rmtree(statistics_folder(job))

    with pytest.raises(ConfigError, match="must hold fitted statistics; got no such file; run `amalgam fit JOB`"):
        nightly_recipe(job, SCHEMA, NIGHT)


def test_a_job_without_numbers_needs_no_statistics(tmp_path: Path) -> None:
    """Text alone is encoded as it is."""
    job = make_job(tmp_path, modalities={"note": SOURCE["modalities"]["note"]})
    shutil.rmtree(statistics_folder(job))

    assert set(nightly_recipe(job, SCHEMA, NIGHT).modalities) == {"note"}


def test_statistics_of_other_fields_are_not_enough(tmp_path: Path) -> None:
    """A column that was added after `fit` is named."""
    job = make_job(tmp_path)
    age = NumberStatistics(count=1, mean=1.0, variance=1.0, quantiles={})
    save_statistics(statistics_folder(job), {"profile": {"age": age}}, {})

    with pytest.raises(ConfigError, match=r"statistics must hold 'segment'; got \['age'\]: run `amalgam fit`"):
        nightly_recipe(job, SCHEMA, NIGHT)


def train_fusion(job: Job) -> str:
    """Save the job's fusion as if it had been trained; gives its fingerprint."""
    modalities = with_statistics(job, resolved_modalities(job, SCHEMA, "the input"))
    sources = embedding_sources(modalities, encoders(job, modalities))
    return save(fusion_folder(job), job.fusion, job.fusion.build(), sources=sources, card={})


def train_head(job: Job, fusion: str) -> None:
    """Save the head `spend` as if it had been trained on this fusion."""
    head = job.heads["spend"]
    assert isinstance(head, RegressorSpec)
    spec = head.model_copy(update={"input_dim": job.fusion.dim})
    save(head_folder(job, "spend"), spec, spec.build(), sources={FUSED: fusion}, card={})


def test_heads_must_be_trained(tmp_path: Path) -> None:
    """A random head is never published."""
    with pytest.raises(ConfigError, match="run `amalgam train JOB`"):
        nightly_recipe(make_job(tmp_path, heads={"spend": SPEND}), SCHEMA, NIGHT)


def test_trained_fusion_and_heads_are_used(tmp_path: Path) -> None:
    """The recipe points to the artifacts and knows the heads' columns without loading weights."""
    job = make_job(tmp_path, heads={"spend": SPEND})
    train_head(job, train_fusion(job))

    recipe = nightly_recipe(job, SCHEMA, NIGHT)

    assert recipe.fuse is not None
    assert recipe.score is not None
    assert [field.name for field in recipe.score_fields] == ["score_spend"]
    assert recipe.interval == (NIGHT.start, NIGHT.end)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("fusion.dim=16", "fusion.dim: must be as it was trained (8); got 16; run `amalgam train`"),
        ("fusion.kind=concat", "fusion.kind: must be as it was trained ('weighted_sum'); got 'concat'"),
        ("heads.spend.label=revenue", "heads.spend.label: must be as it was trained ('spend'); got 'revenue'"),
        ("modalities.note.encoder.dim=128", "must be used with the note that it was trained on"),
    ],
)
def test_artifacts_of_other_settings_are_refused(tmp_path: Path, override: str, words: str) -> None:
    """What was trained is what runs, or the run stops and says what changed."""
    job = make_job(tmp_path, heads={"spend": SPEND})
    train_head(job, train_fusion(job))

    with pytest.raises(ConfigError) as caught:
        nightly_recipe(make_job(tmp_path, override, heads={"spend": SPEND}), SCHEMA, NIGHT)

    assert words in str(caught.value)


def test_heads_of_another_fusion_are_refused(tmp_path: Path) -> None:
    """After the fusion is trained anew, heads that were not are stale."""
    job = make_job(tmp_path, heads={"spend": SPEND})
    train_head(job, "another fusion")
    train_fusion(job)

    with pytest.raises(ConfigError, match="must be used with the fused that it was trained on"):
        nightly_recipe(job, SCHEMA, NIGHT)


def test_a_seeded_fusion_is_used_where_nothing_was_trained(tmp_path: Path) -> None:
    """Without heads the product works before anything is trained."""
    recipe = nightly_recipe(make_job(tmp_path), SCHEMA, NIGHT)

    assert (recipe.score, recipe.score_fields, recipe.fused_dim) == (None, (), 8)


def test_history_is_embedded_and_no_more(tmp_path: Path) -> None:
    """Repeated keys stay (a customer has many rows), and what training needs is kept."""
    schema = SCHEMA.append(pa.field("spend", pa.float64()))

    recipe = embedding_recipe(make_job(tmp_path, training=TRAINING), schema, ("spend",))

    assert (recipe.fuse, recipe.score, recipe.fused_dim, recipe.unique_keys) == (None, None, 0, False)
    assert recipe.keep == ("spend",)
    assert recipe.interval == (HISTORY.start, HISTORY.end)


# Fingerprints -------------------------------------------------------------------------------------------------------


def fingerprint(folder: Path, *overrides: str, **changes: Any) -> str:
    """The fingerprint of a night's rows."""
    return nightly_recipe(make_job(folder, *overrides, **changes), SCHEMA, NIGHT).fingerprint


def test_a_fingerprint_does_not_change_with_the_jobs_folder(tmp_path: Path) -> None:
    """Nor with paths that follow from it, such as the roots below which pictures may be read."""
    photo = {"photo": {"type": "image", "column": "note"}}
    modalities = {**SOURCE["modalities"], **photo}

    one, two = (fingerprint(tmp_path / name, modalities=modalities) for name in ("one", "two/deep"))

    assert one == two


@pytest.mark.parametrize(
    "override",
    [
        "execution.batch_rows=3",
        "execution.unit_rows=7",
        "workers.address=local",
        "workers.replicas=2",
        "output.path=elsewhere",
        "quarantine.max_fraction=0.5",
    ],
)
def test_how_a_job_is_run_changes_no_fingerprint(tmp_path: Path, override: str) -> None:
    """Batches, units, workers and limits change no published number."""
    assert fingerprint(tmp_path, override) == fingerprint(tmp_path)


@pytest.mark.parametrize(
    "override",
    [
        "modalities.note.max_chars=7",
        "modalities.note.encoder.dim=128",
        "modalities.profile.clip=null",
        "fusion.dim=16",
        "fusion.seed=1",
        "fusion.weights.note=2",
    ],
)
def test_whatever_decides_a_number_changes_the_fingerprint(tmp_path: Path, override: str) -> None:
    """Cleaning, encoders and fusion."""
    assert fingerprint(tmp_path, override) != fingerprint(tmp_path)


def fit_anew(job: Job) -> None:
    """Statistics of another history."""
    found = nightly_recipe(job, SCHEMA, NIGHT).modalities["profile"].statistics
    age = NumberStatistics(count=100, mean=41.0, variance=100.0, quantiles={"0.001": 10.0, "0.999": 90.0})
    save_statistics(statistics_folder(job), {"profile": {**found, "age": age}}, {})


def test_statistics_and_trained_weights_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    """Fitted anew or trained anew, the rows are other rows."""
    job = make_job(tmp_path)
    before = nightly_recipe(job, SCHEMA, NIGHT).fingerprint
    fit_anew(job)
    fitted = nightly_recipe(job, SCHEMA, NIGHT).fingerprint
    train_fusion(job)
    trained = nightly_recipe(job, SCHEMA, NIGHT).fingerprint

    assert len({before, trained, fitted}) == 3


def test_a_fusion_trained_on_other_statistics_is_refused(tmp_path: Path) -> None:
    """Normalized otherwise, embeddings mean something else, even if the encoder is the same."""
    job = make_job(tmp_path)
    train_fusion(job)
    fit_anew(job)

    with pytest.raises(ConfigError, match=r"^fusion: .*must be used with the profile that"):
        nightly_recipe(job, SCHEMA, NIGHT)
