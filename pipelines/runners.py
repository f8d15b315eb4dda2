"""Beam options for a run: which runner, how many processes, and what a failed pipeline meant to say."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import grpc  # type: ignore[import-untyped]  # ships no types
from apache_beam import Pipeline
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.portability import python_urns
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineState

from models import errors
from models.errors import AmalgamError, InternalError, TemporaryError, UsageError
from models.spec import nearest
from pipelines import bereaved
from pipelines.cores import cores as cores
from pipelines.cores import helpful_processes as helpful_processes
from pipelines.processes import run_watched

# Named, because Beam's own default (DirectRunner) may look for a binary to download.
DEFAULT_RUNNER: Final = "FnApiRunner"
WORKER: Final = "pipelines.beam_worker"  # the module that its worker processes run
LOCAL: Final = frozenset(name.lower() for name in StandardOptions.LOCAL_RUNNERS)


class OneMachineRunner(FnApiRunner):  # type: ignore[misc]  # Beam ships no types
    """FnApiRunner whose worker processes are `pipelines.beam_worker`."""

    def run_via_runner_api(self, pipeline_proto: Any, options: PipelineOptions) -> Any:
        """Run the pipeline; see FnApiRunner."""
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                # Beam starts it through a shell; exec, so that this process is its parent.
                environment.payload = f"exec {sys.executable} -m {WORKER} {os.getpid()}".encode()
        return super().run_via_runner_api(pipeline_proto, options)


def options_for(beam_args: Sequence[str], *, processes: int | None = None) -> PipelineOptions:
    """Beam's options for this run.

    Args:
        beam_args: what the user wrote after `--`; goes to Beam as it is.
        processes: worker processes of the default runner; as many as there are cores when None.

    Raises:
        UsageError: Beam does not know an option, a value or the runner. Options that only a job server knows (those
            of Flink in Java, say) are not checked when the pipeline goes to a job server.
    """
    flags = list(beam_args)
    named = _checked(flags).view_as(StandardOptions).runner
    if named is None:
        name = f"{OneMachineRunner.__module__}.{OneMachineRunner.__name__}"
        flags += [f"--runner={name}", *_one_machine(flags, processes or cores())]
    # Nothing that travels is defined in the main module, so there is no session of it to save.
    return PipelineOptions(flags, save_main_session=False)


def _one_machine(flags: Sequence[str], processes: int) -> list[str]:
    """Worker processes for the default runner; one process works in memory, without gRPC in between."""
    given = PipelineOptions(list(flags)).view_as(DirectOptions).get_all_options(drop_default=True)
    if "direct_running_mode" in given or "direct_num_workers" in given:
        return []
    if processes == 1:
        return ["--direct_running_mode=in_memory"]
    return ["--direct_running_mode=multi_processing", f"--direct_num_workers={processes}"]


def _checked(flags: list[str]) -> PipelineOptions:
    """The options as Beam reads them.

    Raises:
        UsageError: an unknown option or runner, or a value that Beam refuses.
    """
    if stray := [flag for flag in flags if flag == "--"]:
        raise UsageError(f"Beam options must follow one --; got {len(stray) + 1}")
    if flags and not flags[0].startswith("-"):
        raise UsageError(f"Beam options must start with --; got {flags[0]!r}")
    options = PipelineOptions(flags)
    complaints = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaints):
            known = options.get_all_options()
            everything = options.get_all_options(retain_unknown_options=True)
    except SystemExit as error:  # argparse's way of refusing a value
        refusal = complaints.getvalue().strip().rsplit("error: ", 1)[-1]
        raise UsageError(f"Beam options must be such as Beam takes; got {' '.join(flags)}: {refusal}") from error
    runner = options.view_as(StandardOptions).runner or DEFAULT_RUNNER
    _check_runner(runner)
    unknown = sorted(set(everything) - set(known))
    if unknown and runner.lower() in LOCAL:
        hint = nearest(unknown[0], known)
        raise UsageError(f"Beam options must be known to {runner}; got --{', --'.join(unknown)}{hint}")
    return options


def _check_runner(runner: str) -> None:
    names = StandardOptions.KNOWN_RUNNER_NAMES
    known = {name.lower() for name in names} | {name.lower().removesuffix("runner") for name in names}
    if "." not in runner and runner.lower() not in known:
        raise UsageError(f"--runner must be one of {', '.join(names)}; got {runner!r}{nearest(runner, names)}")


# The last line of a traceback that ends in one of our errors; Beam appends the step it happened in.
RAISED: Final = re.compile(r"^models\.errors\.(\w+): (.*?)(?= \[while running|^\S|\Z)", re.MULTILINE | re.DOTALL)


def cause(error: BaseException) -> AmalgamError | None:
    """The Amalgam error that a failed pipeline died of; None if it was another.

    Beam carries an exception from a worker process to the driver as the text of its traceback: class and message
    are read from there. (In memory the exception itself arrives.)
    """
    if isinstance(error, AmalgamError):
        return error
    if isinstance(error, grpc.RpcError | grpc.FutureTimeoutError):
        return TemporaryError(f"the job server must be reachable; got {error!r}")
    found = RAISED.findall(str(error))
    if not found:
        return None
    name, message = found[-1]
    kind = getattr(errors, name, None)
    return kind(message.strip()) if isinstance(kind, type) and issubclass(kind, AmalgamError) else None


def run(pipeline: Pipeline, diary: str | None = None) -> PipelineResult:
    """Run a pipeline to its end; `cause` tells what an exception from here means.

    Args:
        pipeline: with its graph.
        diary: folder in which its workers note what they are at, if they do.

    Raises:
        WorkerCrashed: a worker process went away, and the runner does not see to it.
        InternalError: the pipeline was cancelled.
    """
    result: PipelineResult
    if pipeline.options.view_as(DirectOptions).direct_running_mode == "multi_processing":
        result = run_watched(pipeline.run)
    else:
        result = pipeline.run()
    wait(result, diary)
    return result


def wait(result: PipelineResult, diary: str | None = None) -> None:
    """Wait for a pipeline that was started; see `run`."""
    if diary is None or PipelineState.is_terminal(result.state):
        state = result.wait_until_finish()
    else:
        state = bereaved.wait(result, diary)
    if state != PipelineState.DONE:
        raise InternalError(f"the pipeline must end as DONE; got {state}")
