"""The job file and the README of the finance scenario."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import yaml

from pipelines.scenarios.finance import guide
from pipelines.scenarios.finance.scenario import SCENARIO
from pipelines.scenarios.layout import partitions

PARTS = partitions(20, 30, 2)


@pytest.fixture(scope="module")
def history() -> pa.Schema:
    """Columns of the history."""
    return SCENARIO.rows(0, PARTS[0], np.arange(5))[0].schema


def test_job_file_names_existing_columns(history: pa.Schema) -> None:
    """Every column of modalities and heads stands in the history."""
    job = yaml.safe_load(guide.job_yaml(PARTS))
    accounts = job["modalities"].pop("accounts")
    wanted = {modality["column"] for modality in job["modalities"].values()}
    wanted |= {*accounts["numeric"], *accounts["categorical"], job["training"]["split"]["by"], job["input"]["key"]}
    for head in job["heads"].values():
        wanted |= {value for setting, value in head.items() if setting not in ("kind", "epsilon")}
    assert wanted <= set(history.names)
    assert {"allowed", "limit_action", "profit", "propensity", "defaulted", "utilisation"} <= wanted


def test_job_file_trains_every_encoder() -> None:
    """A learned encoder for each modality; two heads for labels, and one that decides what is allowed."""
    job = yaml.safe_load(guide.job_yaml(PARTS))
    assert [m["encoder"]["kind"] for m in job["modalities"].values()] == [
        "cnn", "rnn", "audio_cnn", "table", "rnn_series",
    ]  # fmt: skip
    assert [head["kind"] for head in job["heads"].values()] == ["classifier", "regressor", "q_learning"]
    assert job["heads"]["limit"]["allowed"] == "allowed"


def test_readme_names_every_column(history: pa.Schema) -> None:
    """No column of the history goes unexplained, and the nights are listed."""
    text = guide.readme(PARTS, 7, True)
    assert not [name for name in history.names if f"`{name}`" not in text and name not in ("firm_id", "event_time")]
    assert "seed 7" in text
    assert "date=2026-11-22/ 20 firms" in text
    assert "0.3 % of the records are damaged" in text
    assert "nothing is damaged" in guide.readme(PARTS, 7, False)
