"""F17: a stopped run loses its lease to another, wakes up, and tries to publish."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.retail import Done, amalgam, finish, state
from tests.faults.nights import TinyNight
from tests.faults.oracle import standing_manifest
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, records

pytestmark = pytest.mark.beam

REPOSITORY = Path(__file__).parents[2]
TTL = 1.0  # seconds of silence after which the stopped run's lease is free


def start_sleeper(night: TinyNight) -> subprocess.Popen[str]:
    """The command, stopped when it is about to publish."""
    script = str(Path(__file__).with_name("run_and_stop.py"))
    command = [sys.executable, script, str(TTL), *night.arguments()]
    environment, pipe = {**os.environ, "PYTHONPATH": str(REPOSITORY)}, subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)
    deadline = time.monotonic() + 120
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert process.poll() is None, finish(process).err
        assert time.monotonic() < deadline, "not stopped within 120 s"
        time.sleep(0.05)
    return process


def wake(process: subprocess.Popen[str]) -> Done:
    """Let it go on to its end."""
    process.send_signal(signal.SIGCONT)
    return finish(process)


@pytest.mark.parametrize("same", [True, False], ids=["the same command", "with other settings"])
def test_the_one_who_slept_is_refused(tiny_night: TinyNight, same: bool) -> None:
    """Exit 75 by the fencing number; nothing of the winner's is altered, and the manifest carries its number."""
    tiny_night.run()
    tiny_night.replace_input(records(0, 200))
    settings = () if same else ("output.row_group_rows=50",)
    with watching(tiny_night.out, DATE):
        sleeper = start_sleeper(tiny_night)
        time.sleep(TTL)
        winner = amalgam(*tiny_night.arguments(*settings))
        published = [state(tiny_night.out / name) for name in ("features", "quarantine", "runs")]
        slept = wake(sleeper)

    assert (winner.code, winner.result["status"]) == (0, "published"), winner.err
    assert (slept.code, slept.out) == (75, ""), slept.err
    assert "fencing number 2; got" in slept.err
    assert [state(tiny_night.out / name) for name in ("features", "quarantine", "runs")] == published
    manifest = standing_manifest(tiny_night.out, DATE)
    assert manifest is not None
    assert (manifest["run"]["run_id"], manifest["details"]["fencing"]) == (winner.result["run_id"], 3)
    assert tiny_night.run(*settings).status == "already published"
    tiny_night.assert_sound()


@pytest.mark.parametrize("tag", ["first", "second"], ids=["the same run", "another run"])
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_stopped_anywhere_it_alters_nothing(tmp_path: Path, tag: str, stride: int) -> None:
    """Stopped before each (or every seventh) change that a publication makes: before the fence it is refused."""
    script = str(Path(__file__).with_name("stopped_everywhere.py"))
    done = subprocess.run(
        [sys.executable, script, str(tmp_path), str(stride), tag],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    trials = [json.loads(line) for line in done.stdout.splitlines()]
    taken = [trial for trial in trials if trial.get("taken_over")]
    fenced = [trial for trial in trials if trial["stopped"] and not trial["taken_over"]]

    assert trials[-1] == {"stopped": False, "code": 0, "expected_run": trials[-1]["expected_run"]}
    assert taken
    assert [trial for trial in taken if not trial["unaltered"]] == []
    # The same run that was stopped after it had published, when it tidied up, has nothing to be replaced.
    published = [trial for trial in taken if trial["was_published"] and tag == "first"]
    assert {trial["fencing"] for trial in published} <= {1}
    assert {trial["fencing"] for trial in taken if trial not in published} == {2}
    assert {trial["run"] == trial["expected_run"] for trial in taken} == {True}
    # Inside the fence the stopped run is waited for, and publishes what is its own.
    assert {(trial["code"], trial["fencing"]) for trial in fenced} <= {(0, 1)}
    assert [problem for trial in trials[:-1] for problem in trial["problems"]] == []
