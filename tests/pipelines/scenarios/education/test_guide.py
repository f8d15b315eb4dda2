"""The job file and the README of the education scenario."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import yaml

from pipelines.scenarios.education import guide
from pipelines.scenarios.education.scenario import SCENARIO
from pipelines.scenarios.layout import partitions

PARTS = partitions(20, 30, 2)


@pytest.fixture(scope="module")
def history() -> pa.Schema:
    """Columns of the history."""
    return SCENARIO.rows(0, PARTS[0], np.arange(5))[0].schema


def test_job_file_names_existing_columns(history: pa.Schema) -> None:
    """Every column of modalities and heads stands in the history."""
    job = yaml.safe_load(guide.job_yaml(PARTS))
    grades = job["modalities"].pop("grades")
    wanted = {modality["column"] for modality in job["modalities"].values()}
    wanted |= {*grades["numeric"], *grades["categorical"], job["training"]["split"]["by"], job["input"]["key"]}
    for head in job["heads"].values():
        wanted |= {value for value in head.values() if isinstance(value, str)} - {head["kind"]}
    assert wanted <= set(history.names)
    assert {"allowed", "course", "gain", "propensity", "step", "terminated", "mastered", "next_score"} <= wanted


def test_job_file_trains_every_encoder_and_both_learners() -> None:
    """A learned encoder for each modality; two heads for labels, two that decide over episodes."""
    job = yaml.safe_load(guide.job_yaml(PARTS))
    assert [m["encoder"]["kind"] for m in job["modalities"].values()] == [
        "cnn", "rnn", "audio_cnn", "table", "rnn_series",
    ]  # fmt: skip
    assert [head["kind"] for head in job["heads"].values()] == [
        "classifier", "regressor", "q_learning", "policy_gradient",
    ]  # fmt: skip
    assert [head.get("gamma") for head in job["heads"].values()] == [None, None, 0.9, 0.9]
    assert SCENARIO.decision.gamma == 0.9


def test_readme_names_every_column(history: pa.Schema) -> None:
    """No column of the history goes unexplained, and the nights are listed."""
    text = guide.readme(PARTS, 7, True)
    assert not [name for name in history.names if f"`{name}`" not in text and name not in ("pupil_id", "event_time")]
    assert "seed 7" in text
    assert "date=2026-11-22/ 20 pupils" in text
    assert "0.3 % of the records are damaged" in text
    assert "nothing is damaged" in guide.readme(PARTS, 7, False)
