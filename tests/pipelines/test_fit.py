"""Tests of fit's planning: what the history must hold, and what it need not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from models.errors import ConfigError, NoInput
from pipelines.fit import plan_history
from tests.pipelines.tiny_jobs import make_job
from tests.transforms.parquet_inputs import write_folder

TRAINING = {"path": "history", "split": {"by": "group"}}
HEADS = {"churn": {"kind": "classifier", "label": "churned"}, "spend": {"kind": "regressor", "label": "spent"}}


def history(folder: Path, rows: int = 3, **columns: list[object]) -> None:
    """A history with the columns of a record, and others."""
    record = {"id": ["a", "b", "c"], "note": ["x", "y", "z"], "age": [1.0, 2.0, 3.0], "plan": ["p", "q", "p"]}
    write_folder(folder / "history", {"part.parquet": pa.table({**record, **columns}).slice(0, rows)})


def test_labels_and_groups_must_be_columns(tmp_path: Path) -> None:
    """All that are missing are named at once, each with its YAML path."""
    job = make_job(tmp_path, training=TRAINING, heads=HEADS)
    history(tmp_path, churned=[0, 1, 0])

    with pytest.raises(ConfigError) as caught:
        plan_history(job)

    assert [problem.path for problem in caught.value.problems] == ["training.split.by", "heads.spend.label"]


def test_columns_of_logged_decisions_must_be_there_and_of_a_usable_type(tmp_path: Path) -> None:
    """Before the history is embedded, which takes hours where there is much of it."""
    log = {"action": "offer", "reward": "revenue", "propensity": "p", "allowed": "allowed", "terminated": "over"}
    episodes = {"episode": "visit", "step": "step"}
    job = make_job(tmp_path, training=TRAINING, heads={"offer": {"kind": "q_learning", **log, **episodes}})
    table: dict[str, list[object]] = {"offer": [0.5, 1, 2], "revenue": ["a", "b", "c"], "allowed": ["x", "y", "z"]}
    more: dict[str, list[object]] = {"group": ["g", "g", "h"], "visit": ["v", "v", "w"], "step": ["1", "2", "1"]}
    history(tmp_path, 3, **more, **table, over=[1, 0, 1])

    with pytest.raises(ConfigError) as caught:
        plan_history(job)

    assert {problem.path.removeprefix("heads.offer."): problem.message for problem in caught.value.problems} == {
        "action": "must be a column of strings, integers or booleans; got 'offer', which holds double",
        "reward": "must be a column of numbers; got 'revenue', which holds string",
        "propensity": "must be a column of training.path; got 'p'; columns: id, note, age, plan, group, visit, step, "
        "offer, revenue, allowed, over",
        "allowed": "must be a column of lists of actions; got 'allowed', which holds string",
        "step": "must be a column of numbers or times; got 'step', which holds string",
        "terminated": "must be a column of true and false; got 'over', which holds int64",
    }


def test_columns_that_a_night_passes_through_need_not_be_there(tmp_path: Path) -> None:
    """`output.keep` is for the nights; a label of the same name is read all the same."""
    job = make_job(tmp_path, "output.keep=[spent, other]", training=TRAINING, heads=HEADS)
    history(tmp_path, group=["g", "g", "h"], churned=[0, 1, 0], spent=[1.0, 2.0, 3.0])

    inputs = plan_history(job)

    assert inputs.rows == 3
    assert {"spent", "churned", "group"} <= set(inputs.schema.names)


def test_a_history_without_rows_is_no_input(tmp_path: Path) -> None:
    """Statistics of nothing would normalize everything to nonsense."""
    job = make_job(tmp_path, training=TRAINING, heads=HEADS)
    history(tmp_path, rows=0, group=["g", "g", "h"], churned=[0, 1, 0], spent=[1.0, 2.0, 3.0])

    with pytest.raises(NoInput, match="must hold rows"):
        plan_history(job)
