"""One small pipeline, the same files on every runner, and the same error from each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import AmalgamError, SchemaRefused
from pipelines.runners import cause, options_for
from tests.runners import pipeline, portable

RUNNERS = [
    pytest.param("in_memory", marks=pytest.mark.beam),
    pytest.param("processes", marks=pytest.mark.beam),
    pytest.param("portable", marks=pytest.mark.beam),
    pytest.param("flink", marks=pytest.mark.flink),
]
SERVICES = {"portable": portable.portable_service, "flink": portable.flink}
ONE_MACHINE = {
    "in_memory": ["--runner=FnApiRunner"],
    "processes": ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"],
}


@pytest.fixture(scope="module", params=RUNNERS)
def beam_args(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What a user would write after `--` to choose each runner."""
    if request.param in ONE_MACHINE:
        yield ONE_MACHINE[request.param]
        return
    with SERVICES[request.param](tmp_path_factory.mktemp("logs")) as arguments:
        yield arguments


def test_every_unit_is_written_once(beam_args: list[str], tmp_path: Path) -> None:
    """Eight files with the rows of their units, whatever ran the pipeline."""
    pipeline.run(options_for(beam_args), tmp_path)

    assert pipeline.written(tmp_path) == pipeline.EXPECTED


def test_error_of_a_worker_is_told(beam_args: list[str], tmp_path: Path) -> None:
    """A DoFn's SchemaRefused can be told from what the runner raises, with its message."""
    with pytest.raises((RuntimeError, AmalgamError)) as caught:
        pipeline.run(options_for(beam_args), tmp_path, refuse=3)

    told = cause(caught.value)
    assert type(told) is SchemaRefused
    assert str(told).startswith("unit 3: column photo must be binary; got int64")


@pytest.mark.beam
def test_two_processes_share_the_units(tmp_path: Path) -> None:
    """FnApiRunner deals grouped keys out like cards: two processes write units of one run."""
    pipeline.run(options_for([], processes=2), tmp_path)

    assert len(pipeline.processes(tmp_path)) == 2
