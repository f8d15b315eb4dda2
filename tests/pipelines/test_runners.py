"""Beam options: the default runner by its name, the user's own as they are, and unknown ones refused."""

from __future__ import annotations

import grpc  # type: ignore[import-untyped]  # ships no types
import pytest
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)

from models.errors import ConfigError, Problem, SchemaRefused, TemporaryError, UsageError
from pipelines.cores import row_seconds
from pipelines.runners import cause, cores, helpful_processes, options_for
from transforms.modalities.image import ImageSpec
from transforms.modalities.text import TextSpec

OWN = "pipelines.runners.OneMachineRunner"
"""FnApiRunner with worker processes of our own."""


def shape(options: PipelineOptions) -> tuple[str, str, int]:
    """Runner, mode and number of processes."""
    direct = options.view_as(DirectOptions)
    return options.view_as(StandardOptions).runner, direct.direct_running_mode, direct.direct_num_workers


def test_default_is_fn_api_runner_with_processes() -> None:
    """Three processes, as asked for."""
    assert shape(options_for([], processes=3)) == (OWN, "multi_processing", 3)


def test_one_process_works_in_memory() -> None:
    """With one process there is nothing to spread, so gRPC is left out."""
    assert shape(options_for([], processes=1)) == (OWN, "in_memory", 1)


def test_as_many_processes_as_cores() -> None:
    """Without a number there is one process for each core that may be used."""
    expected = ("in_memory", 1) if cores() == 1 else ("multi_processing", cores())
    assert shape(options_for([])) == (OWN, *expected)


def test_processes_are_started_only_where_they_help() -> None:
    """One for every 2,500 rows, at least one, at most one per core."""
    assert [helpful_processes(rows) for rows in (0, 4999)] == [1, 1]
    assert helpful_processes(5000) == min(2, cores())
    assert helpful_processes(10**9) == cores()


def test_what_a_row_takes_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts need one process for many more rows than pictures; encoders in the same process count too."""
    monkeypatch.setattr("pipelines.cores.cores", lambda: 64)
    text, image = TextSpec(column="review"), ImageSpec(column="photo")
    jobs = ([text], [text, image])

    found = [helpful_processes(40_000, row_seconds(job, inline=inline)) for job in jobs for inline in (False, True)]

    assert found == [1, 16, 13, 16]


def test_users_own_number_stands() -> None:
    """Direct options after `--` are not overridden."""
    arguments = ["--direct_running_mode=multi_processing", "--direct_num_workers=5"]

    assert shape(options_for(arguments, processes=2)) == (OWN, "multi_processing", 5)


def test_users_runner_is_handed_on() -> None:
    """A named runner gets its options as they are, and none of ours."""
    options = options_for(["--runner=PortableRunner", "--job_endpoint=localhost:1", "--environment_type=LOOPBACK"])

    assert shape(options) == ("PortableRunner", "in_memory", 1)
    assert options.view_as(PortableOptions).environment_type == "LOOPBACK"


def test_main_session_is_not_saved() -> None:
    """Nothing that travels is defined in the main module."""
    assert options_for([]).view_as(SetupOptions).save_main_session is False


def test_unknown_option_names_the_nearest() -> None:
    """Beam would drop it with a warning; we refuse it."""
    with pytest.raises(UsageError, match=r"got --direct_num_worker; did you mean 'direct_num_workers'\?"):
        options_for(["--direct_num_worker=3"])


def test_option_of_a_job_server_passes() -> None:
    """Flink's own options are described by its job server, which is not there yet."""
    options_for(["--runner=FlinkRunner", "--flink_master=[local]", "--fasterCopy=true"])


@pytest.mark.parametrize(
    "arguments",
    [["--direct_num_workers=many"], ["--runner=FlinkRuner"], ["--flink_version=0.1"], ["--", "--streaming"]],
)
def test_impossible_options(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong values and runners are refused in our words, without argparse's usage text."""
    with pytest.raises(UsageError):
        options_for(arguments)

    assert capsys.readouterr().err == ""


TRACEBACK = """Traceback (most recent call last):
  File "common.py", line 1512, in process
models.errors.ConfigError:   a.b: must be x; got y
  c.d: is missing [while running 'Process']

During handling of the above exception, another exception occurred:
  File "worker.py", line 1, in run
models.errors.SchemaRefused: part.parquet: column age must be int64; got string [while running 'Process']
"""


def test_cause_is_the_last_of_our_errors() -> None:
    """Beam's text may hold several tracebacks; the last is what stopped the bundle."""
    told = cause(RuntimeError(TRACEBACK))

    assert type(told) is SchemaRefused
    assert str(told) == "part.parquet: column age must be int64; got string"


def test_cause_keeps_all_lines() -> None:
    """A ConfigError with several problems has several lines."""
    told = cause(RuntimeError(TRACEBACK.split("\n\n")[0]))

    assert type(told) is ConfigError
    assert [line.strip() for line in str(told).splitlines()] == ["a.b: must be x; got y", "c.d: is missing"]


def test_cause_of_ours_is_itself() -> None:
    """In memory Beam raises what the worker raised."""
    error = ConfigError([Problem("a", "must be b")])

    assert cause(error) is error


def test_cause_of_a_silent_job_server() -> None:
    """Nobody at the job endpoint is temporary."""
    assert type(cause(grpc.FutureTimeoutError())) is TemporaryError


@pytest.mark.parametrize("text", ["", "ValueError: x", "models.errors.Unknown: x", "models.errors.Iterable: x"])
def test_other_errors_have_no_cause(text: str) -> None:
    """What is not one of our errors is left to the caller."""
    assert cause(RuntimeError(text)) is None
