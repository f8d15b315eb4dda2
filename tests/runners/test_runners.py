"""One small pipeline, the same files on every runner, and the same error from each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import SchemaRefused
from pipelines.runners import cause, options_for
from tests.runners import pipeline, portable


@pytest.fixture(scope="module", params=["in_memory", "processes", "portable", "flink"])
def beam_args(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What a user would write after `--` to choose each runner."""
    if request.param == "in_memory":
        yield ["--runner=FnApiRunner"]
    elif request.param == "processes":
        yield ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    else:
        start = portable.portable_service if request.param == "portable" else portable.flink
        with start(tmp_path_factory.mktemp("logs")) as arguments:
            yield arguments
