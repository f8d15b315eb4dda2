"""What every scenario promises, tested the day it appears."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.config import load_job
from pipelines.job import Job
from pipelines.scenarios import damage
from pipelines.scenarios.base import Scenario, find, names
from pipelines.scenarios.layout import partitions
from pipelines.scenarios.simulate import simulate
from pipelines.scenarios.sorts import Sort
from pipelines.scenarios.streams import Floats, Stream, generator

HISTORY, FIRST, SECOND = partitions(120, 120, 2)


def encoded_sorts() -> list[tuple[str, Sort]]:
    """(scenario, sort) of all damages to pictures, texts and sounds: the others are cleaned with fitted statistics."""
    pairs = [(name, sort) for name in names() for sort in find(name).sorts if sort.effect != "quarantined"]
    return [(name, sort) for name, sort in pairs if _is_encoded(sort)]


def _is_encoded(sort: Sort) -> bool:
    (value,) = sort.replace(generator(0, Stream.DAMAGE, 0)).values()
    return bool(value.null_count == 0 and (pa.types.is_binary(value.type) or pa.types.is_string(value.type)))


SORTS = encoded_sorts()


@pytest.fixture(params=names())
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """Each in turn."""
    return find(request.param)


@pytest.fixture
def job(scenario: Scenario, tmp_path: Path) -> Job:
    """The job file that stands beside the scenario's data."""
    return job_of(scenario, tmp_path)


def job_of(scenario: Scenario, folder: Path) -> Job:
    """The scenario's job file, read as a user's would be."""
    (folder / "job.yaml").write_text(scenario.job_yaml([HISTORY, FIRST, SECOND]), encoding="utf-8")
    return load_job(folder / "job.yaml")


def test_all_four_are_there() -> None:
    """Found by their folders; each is called like its folder."""
    assert set(names()) >= {"education", "finance", "medical", "retail"}
    assert [find(name).name for name in names()] == list(names())


def test_rows_do_not_depend_on_chunks(scenario: Scenario) -> None:
    """Rows drawn alone are those rows of more, in the history and at night."""
    for part in (HISTORY, SECOND):
        many, few = scenario.rows(7, part, np.arange(60)), scenario.rows(7, part, np.arange(20, 30))
        for whole, some in zip(many, few, strict=True):
            assert whole.slice(20, 10).equals(some)


def test_another_seed_gives_other_values(scenario: Scenario) -> None:
    """No encoded value stays as it was, the first key does."""
    one, other = (scenario.rows(seed, HISTORY, np.arange(20))[0] for seed in (0, 1))
    binary = [field.name for field in one.schema if pa.types.is_binary(field.type)]
    assert one[scenario.key][0] == other[scenario.key][0]
    assert binary
    for name in binary:
        pairs = zip(one[name].to_pylist(), other[name].to_pylist(), strict=True)
        assert all(a != b or a is None for a, b in pairs), name


def test_nights_are_histories_without_what_came_later(scenario: Scenario, job: Job) -> None:
    """A night has the history's columns up to the labels: all that the job reads, nothing else that it learns from."""
    history, night = (scenario.rows(0, part, np.arange(5))[0].schema for part in (HISTORY, FIRST))
    assert night.names == history.names[: len(night.names)]
    assert night.types == history.types[: len(night.names)]
    assert set(job.input_columns()) <= set(night.names)
    assert set(job.history_columns()) <= set(history.names)
    later = set(job.head_columns()) - set(job.input_columns()) - {job.need_training("train").split.by}
    assert later
    assert not later & set(night.names)


def test_truth_has_the_same_rows(scenario: Scenario) -> None:
    """Key and time of each row stand beside what is true of it, without gaps."""
    for part in (HISTORY, FIRST):
        data, known = scenario.rows(0, part, np.arange(40))
        assert known[scenario.key].equals(data[scenario.key])
        assert known["event_time"].equals(data["event_time"])
        assert all(column.null_count == 0 for column in known.columns)


def test_gaps_are_three_to_ten_percent(scenario: Scenario) -> None:
    """Each modality is absent at its own rate, and no row lacks all."""
    rows = np.arange(6_000)
    masks = scenario.gaps.present(0, rows, rows * 0)
    assert set(masks) == set(scenario.world.modalities)
    for modality, rate in scenario.gaps.absent.items():
        error = 4 * np.sqrt(rate * (1 - rate) / 6_000)
        assert 0.03 <= rate <= 0.10
        assert 1 - masks[modality].mean() == pytest.approx(rate, abs=error)
    assert np.any(list(masks.values()), axis=0).all()


def test_ordinary_rows_hold_no_nan(scenario: Scenario) -> None:
    """Absent numbers are null; NaN is damage."""
    batch = scenario.rows(0, HISTORY, np.arange(60))[0]
    for field in batch.schema:
        if pa.types.is_floating(field.type):
            assert np.isfinite(batch[field.name].drop_null().to_numpy()).all(), field.name


def test_events_lie_before_their_record(scenario: Scenario) -> None:
    """Every series ends before the row's event time."""
    batch = scenario.rows(0, HISTORY, np.arange(60))[0]
    series = [f.name for f in batch.schema if pa.types.is_list(f.type) and pa.types.is_struct(f.type.value_type)]
    assert series
    for name in series:
        for when, events in zip(batch["event_time"].to_pylist(), batch[name].to_pylist(), strict=True):
            assert events is None or all(event["time"] <= when for event in events)


def test_logged_actions_were_allowed_and_had_their_probability(scenario: Scenario) -> None:
    """Σ over rows of 1 / propensity of the logged action, per action, is about the number of rows that allowed it."""
    rows = 120
    batch = scenario.rows(3, HISTORY, np.arange(rows))[0]
    action = next(n for n in batch.schema.names if _is_action(batch, n, scenario))
    made, allowed = batch[action].to_pylist(), batch["allowed"].to_pylist()
    propensity = batch["propensity"].to_numpy()
    assert all(one in names for one, names in zip(made, allowed, strict=True))
    assert propensity.min() > 0
    assert propensity.max() <= 1
    weights = 1 / propensity
    counts = np.array([len(names) for names in allowed])
    # E[1/b] of a row is the number of actions that it allows.
    assert weights.mean() == pytest.approx(counts.mean(), abs=4 * weights.std() / np.sqrt(rows))


def _is_action(batch: pa.RecordBatch, name: str, scenario: Scenario) -> bool:
    column = batch[name]
    return pa.types.is_string(column.type) and set(column.drop_null().to_pylist()) <= set(scenario.decision.actions)


@pytest.mark.parametrize(("name", "sort"), SORTS, ids=[f"{name}-{sort.name}" for name, sort in SORTS])
def test_cleaning_finds_the_promised_code(name: str, sort: Sort, tmp_path: Path) -> None:
    """The job's cleaner gives the code of the list alone, and masks the value where the list says so."""
    modality, _, code = sort.code.partition(".")
    spec = job_of(find(name), tmp_path).modalities[modality].spec
    assert sort.column is not None
    cleaned = spec.build()(sort.replace(generator(0, Stream.DAMAGE, 0))[sort.column])
    assert cleaned.issues[0].as_py() == [code]
    assert (cleaned.values.null_count == 1) == (sort.effect == "masked")


def test_damage_fits_the_columns(scenario: Scenario) -> None:
    """Every sort can be put into a batch of either kind; its code names one of the modalities, the key or the row."""
    for part in (HISTORY, FIRST):
        batch = scenario.rows(0, part, np.arange(3))[0]
        for sort in damage.sorts_of(scenario, part):
            assert sort.code.partition(".")[0] in {*scenario.world.modalities, "key", "row"}
            damaged = damage.apply(scenario, batch, [damage.Damage(1, sort, 0, None)], 0, 0, part)
            assert damaged.schema.equals(batch.schema)
            assert damaged.slice(0, 1).equals(batch.slice(0, 1))


def test_few_neighbours_are_damaged_in_the_same_column(scenario: Scenario) -> None:
    """So a small data set shows much."""
    columns = [sort.column for sort in scenario.sorts if sort.column is not None]
    assert len(scenario.sorts) >= 25
    assert len({sort.name for sort in scenario.sorts}) == len(scenario.sorts)
    assert sum(a == b for a, b in pairwise(columns)) < len(columns) / 6


def test_an_episode_begins_with_records_of_the_night(scenario: Scenario) -> None:
    """What a simulated policy sees has the columns of a night, of subjects that the seed decides."""
    night = scenario.rows(0, FIRST, np.arange(3))[0].schema
    episodes = scenario.decision.begin(5, np.arange(4))
    records = episodes.records()
    assert records.schema.equals(night)
    assert records.equals(scenario.decision.begin(5, np.arange(4)).records())
    assert episodes.allowed().shape == (4, len(scenario.decision.actions))
    listed = pc.list_value_length(records["allowed"]).to_pylist()
    assert listed == episodes.allowed().sum(axis=1).tolist()


def test_a_uniform_policy_has_a_value(scenario: Scenario) -> None:
    """Any policy of records can be simulated; what it is told about what is allowed is enough to follow the rules."""
    actions = scenario.decision.actions

    def uniform(records: pa.RecordBatch) -> Floats:
        allowed = np.array([[action in names for action in actions] for names in records["allowed"].to_pylist()])
        chances: Floats = allowed / allowed.sum(axis=1, keepdims=True)
        return chances

    once, again = (simulate(scenario, uniform, episodes=12, seed=2) for _ in range(2))
    assert once == again
    assert once.episodes == 12
    assert np.isfinite(once.mean)
    assert once.standard_error > 0
