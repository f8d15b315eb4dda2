"""Is anything lost when the driver is killed? kill -9 at 12 named points of a night, then the same command once more.

    python benchmarks/kill_points.py --seeds 20
    python benchmarks/kill_points.py --seeds 20 --layout links

Every trial starts from an output in which an older version of the night stands. The first run of the command kills
itself with SIGKILL at the point; the second is left alone. A trial is correct when the kill came, the second run ended
with exit code 0, the tests' oracle finds nothing wrong (V1 to V6 of the fault matrix), every published and quarantined
file has the bytes that a night without a kill publishes, readers that looked every 50 ms saw the old rows or the new
ones and nothing else, and no unit that was finished when the kill came was written again.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the oracle belongs to the checkout's tests

from benchmarks.faults import checks, night
from benchmarks.faults.forks import FORK, Ended, beside, forked, preload
from benchmarks.faults.night import Stage
from benchmarks.faults.points import POINTS, Point, Seam, Shot, calls_of_a_night, points_of


@dataclass(frozen=True)
class Trial:
    """One kill, and what the next run made of it."""

    point: str
    seed: int
    shot: str
    """What was killed: function and call."""
    killed: bool
    polls: int
    """How often a reader read while the two runs went on."""
    torn: tuple[str, ...]
    """What readers saw that was neither the old nor the new version."""
    finished: int
    """Units that were finished when the kill came."""
    redone: int
    """Of those, the ones that the next run wrote again."""
    problems: tuple[str, ...]
    """What else was not as it must be."""

    @property
    def correct(self) -> bool:
        """Whether nothing was lost, and nothing done twice."""
        return self.killed and not (self.torn or self.redone or self.problems)


@dataclass(frozen=True)
class Course:
    """Where trials are run, and what a night does that nobody kills."""

    stage: Stage
    run_id: str
    calls: Mapping[Seam, int]

    @classmethod
    def prepare(cls, folder: Path, layout: str, points: Sequence[Point]) -> Course:
        """Publish the old version, and the night that nobody kills.

        Raises:
            RuntimeError: that failed, or a point does not exist, or a night does not reach it.
        """
        stage = _value(forked(night.prepare, folder, layout))
        run_id, calls = _value(forked(_undisturbed, stage, points))
        return cls(stage, run_id, calls)

    def trial(self, point: Point, seed: int) -> Trial:
        """Kill a night and run it again; everything happens in forked processes."""
        out, shot = self.stage.copy_old(f"{point.name.replace(' ', '-')}-{seed}"), point.draw(seed, self.calls)
        with beside(checks.watch, out) as stop_watching:
            first = forked(_killed_night, shot, self.stage, out)
            finished = night.finished_parts(out, self.run_id)
            second = forked(night.run, self.stage, out)
            polls, torn = _value(stop_watching())
        problems = _complaints(second, len(finished)) or _value(forked(checks.unsound, self.stage, out))
        published = night.published_parts(out)
        redone = sum(published.get(name) != identity for name, identity in finished.items())
        shutil.rmtree(out)
        return Trial(
            point.name, seed, str(shot), first.killed, polls, tuple(torn), len(finished), redone, tuple(problems)
        )


def _undisturbed(stage: Stage, points: Sequence[Point]) -> tuple[str, dict[Seam, int]]:
    ids = []
    calls = calls_of_a_night(points, lambda: ids.append(night.run_undisturbed(stage)))
    return ids[0], calls


def _killed_night(shot: Shot, stage: Stage, out: Path) -> None:
    shot.arm()
    night.run(stage, out)


def _complaints(second: Ended, finished: int) -> list[str]:
    """What the second run did not do."""
    if second.value is None:
        return [f"the second run must end; got exit status {second.code}: {second.error}"]
    code, told, log = second.value
    if code:
        return [f"the second run must end with exit code 0; got {code}: {log}"]
    # A run that finds the date published says what the killed one had resumed: nothing.
    wanted = finished if told["status"] == "published" else 0
    if told["units_resumed"] != wanted:
        return [f"the second run must resume {wanted} units; got {told['units_resumed']}"]
    return []


def _value(ended: Ended) -> Any:
    """What a forked function gave.

    Raises:
        RuntimeError: it raised; with its traceback.
    """
    if ended.code:
        raise RuntimeError(f"a forked function must end well; got exit status {ended.code}\n{ended.error}")
    return ended.value


def run(layout: str, points: Sequence[Point], seeds: int, processes: int) -> Iterator[Trial]:
    """Every point with every seed, some at a time; trials in the order of points.

    Raises:
        RuntimeError: see `Course.prepare`.
    """
    preload()
    with tempfile.TemporaryDirectory(prefix="kill-points-") as scratch:
        course = Course.prepare(Path(scratch), layout, points)
        # The pool's processes only fork and wait; Arrow and Beam work in the processes forked from them.
        with ProcessPoolExecutor(processes, mp_context=FORK) as pool:
            chosen = [(point, seed) for point in points for seed in range(seeds)]
            yield from pool.map(functools.partial(_trial, course), chosen)


def _trial(course: Course, chosen: tuple[Point, int]) -> Trial:
    return course.trial(*chosen)


def table(trials: Sequence[Trial]) -> Iterator[str]:
    """A line for each point, one for all, and the result."""
    width = max(len(trial.point) for trial in trials) + 2
    heads = ("trials", "killed", "correct", "torn", "finished", "redone", "polls")
    yield "".join([f"{'killed at':<{width}}", *(f"{head:>10}" for head in heads)])
    for point in dict.fromkeys(trial.point for trial in trials):
        numbers = _numbers([trial for trial in trials if trial.point == point])
        yield "".join([f"{point:<{width}}", *(f"{number:>10}" for number in numbers)])
    yield "".join([f"{'all':<{width}}", *(f"{number:>10}" for number in _numbers(trials))])
    yield f"{sum(trial.correct for trial in trials)} of {len(trials)} end correct after one rerun"


def _numbers(trials: Sequence[Trial]) -> Iterator[int]:
    yield len(trials)
    yield sum(trial.killed for trial in trials)
    yield sum(trial.correct for trial in trials)
    yield sum(bool(trial.torn) for trial in trials)
    yield sum(trial.finished for trial in trials)
    yield sum(trial.redone for trial in trials)
    yield sum(trial.polls for trial in trials)


def _faults(trial: Trial) -> Iterator[str]:
    if not trial.killed:
        yield "the kill never came"
    if trial.redone:
        yield f"{trial.redone} finished units were done again"
    yield from (*trial.torn, *trial.problems)


def main() -> int:
    """Kill, run again, print the table; 0 if every trial is correct."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="trials of each point")
    parser.add_argument("--processes", type=int, default=2, help="trials at the same time")
    layouts = ("exchange", "links")
    parser.add_argument("--layout", choices=layouts, default=layouts[0], help="how a date's folder comes to stand")
    names = [point.name for point in POINTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="POINT", help="these points alone")
    options = parser.parse_args()
    chosen = [point for point in points_of(options.layout) if point.name in options.only]
    trials = []
    for trial in run(options.layout, chosen, options.seeds, options.processes):
        trials.append(trial)
        for line in _faults(trial):
            sys.stdout.write(f"{trial.point}, seed {trial.seed}, {trial.shot}: {line}\n")
            sys.stdout.flush()
    for line in table(trials):
        sys.stdout.write(line + "\n")
    return 0 if all(trial.correct for trial in trials) else 1


if __name__ == "__main__":
    sys.exit(main())
