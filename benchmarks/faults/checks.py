"""What stands after a trial, judged by the tests' oracle, and what readers saw meanwhile; for forked processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.faults import night
from benchmarks.faults.night import KEY, Stage
from tests.faults.oracle import assert_sound
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE


def watch(wait: Callable[[], None], out: Path) -> tuple[int, list[str]]:
    """Let readers look at the night every 50 ms until told to stop: how often they read, and what was torn (V8)."""
    try:
        with watching(out, DATE) as watcher:
            wait()
    except AssertionError as error:
        return watcher.polls.total(), [str(error)]
    return watcher.polls.total(), []


def unsound(stage: Stage, out: Path) -> list[str]:
    """One line for everything that is not as it must be: V1 to V6, and the bytes of an undisturbed night."""
    try:
        assert_sound(out, stage.inputs, key=KEY, date=DATE, undisturbed=night.rows(stage.undisturbed))
    except AssertionError as error:
        return str(error).splitlines()
    got, wanted = night.contents(out), night.contents(stage.undisturbed)
    differing = sorted(name for name in got.keys() | wanted.keys() if got.get(name) != wanted.get(name))
    return [f"{name} must have the bytes of an undisturbed night's; got others" for name in differing]
