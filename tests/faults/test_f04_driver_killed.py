"""F04: the driver is killed at 12 points of a night.

`benchmarks/kill_points.py` does the killing, with real SIGKILLs in real processes, and more seeds than here. That all
processes of a killed run end, with several processes and with Ray, is in `tests/e2e/test_resume.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.forks import forked
from benchmarks.faults.points import POINTS, Point, Seam, Shot, calls_of_a_night
from benchmarks.faults.seams import wrap

REPOSITORY = Path(__file__).parents[2]
KILL_POINTS = REPOSITORY / "benchmarks" / "kill_points.py"
"""A process of its own, which has started no threads when it forks."""
ALL = tuple(point.name for point in POINTS)


QUICK = ("encoding", "closing a part", "between quarantine and features", "cleaning up")
UNITS = 8  # of the night that is killed


@pytest.mark.beam
@pytest.mark.parametrize(
    ("points", "layout"),
    [
        pytest.param(QUICK, "exchange", id="4 points"),
        pytest.param(ALL, "exchange", id="12 points", marks=pytest.mark.slow),
        pytest.param(ALL, "links", id="12 points, links", marks=pytest.mark.slow),
    ],
)
def test_every_point_ends_correct_after_one_rerun(points: tuple[str, ...], layout: str) -> None:
    """At each point: killed, sound after the same command, nothing torn, no finished unit done again."""
    command = [sys.executable, str(KILL_POINTS), "--seeds", "1", "--layout", layout, "--only", *points]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith(f"\n{len(points)} of {len(points)} end correct after one rerun\n")
    rows = {line[:40].strip(): re.findall(r"\d+", line) for line in done.stdout.splitlines()}
    finished = {point: int(rows[point][4]) for point in points}
    assert 0 < finished["encoding"] < UNITS
    assert finished["between quarantine and features"] == UNITS


def once() -> str:
    """A function that stands for a night."""
    return os.path.basename("/a/b")  # noqa: PTH119  # a function that can be wrapped


BEFORE, AFTER = Seam("os.path:basename"), Seam("os.path:basename", after=True)


def test_calls_are_counted_at_every_seam() -> None:
    """What is called once is counted once, before and after."""
    points = [Point("anywhere", (BEFORE, AFTER))]
    assert forked(calls_of_a_night, points, once).value == {BEFORE: 1, AFTER: 1}


@pytest.mark.parametrize(
    "seam",
    [
        Seam("os.path:renamed"),
        Seam("nowhere:basename"),
        Seam("os.path:dirname"),
        Seam("os.path:basename", call=2),
        Seam("os.path:basename", within="os.path:dirname"),
    ],
    ids=["no such function", "no such module", "never called", "called less often", "never called there"],
)
def test_a_point_that_cannot_be_reached_is_told(seam: Seam) -> None:
    """The benchmark stops, naming the function, instead of never killing anything."""
    ended = forked(calls_of_a_night, [Point("nowhere", (seam,))], once)
    assert "LookupError" in ended.error
    assert seam.target in ended.error


@pytest.mark.parametrize(("seam", "done"), [(BEFORE, ""), (AFTER, "done")])
def test_a_shot_kills_before_or_after_its_call(tmp_path: Path, seam: Seam, done: str) -> None:
    """The process dies of signal 9, and the call has or has not happened."""
    trace = tmp_path / "trace"
    trace.touch()

    def traced(path: str) -> str:
        trace.write_text("done")
        return path

    def work() -> None:
        wrap("os.path:basename", lambda _: traced)
        Shot(seam, 1).arm()
        once()

    ended = forked(work)

    assert ended.killed
    assert trace.read_text() == done


def test_seeds_decide_and_repeat() -> None:
    """The same seed is the same shot, seeds in turn take every seam, and calls stay within what a night has."""
    point, calls = Point("anywhere", (BEFORE, AFTER)), {BEFORE: 5, AFTER: 5}
    shots = [point.draw(seed, calls) for seed in range(40)]
    assert shots == [point.draw(seed, calls) for seed in range(40)]
    assert {shot.seam for shot in shots} == {BEFORE, AFTER}
    assert {shot.call for shot in shots} == {1, 2, 3, 4, 5}


def test_a_function_that_hangs_is_ended() -> None:
    """What has not ended in time is killed, and said to have hung."""
    ended = forked(os.read, os.pipe()[0], 1, timeout=0.2)
    assert (ended.hung, ended.killed, ended.value) == (True, True, None)


def test_what_a_forked_function_raises_is_told() -> None:
    """Its traceback comes with the exit status."""
    ended = forked(int, "no number")
    assert ended.code == 1
    assert "ValueError: invalid literal" in ended.error
