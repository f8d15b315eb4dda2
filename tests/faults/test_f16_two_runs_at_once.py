"""F16: two runs of the same output and interval, started together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipelines.verify import verify
from tests.e2e.retail import finish, start
from tests.faults.nights import TinyNight
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, records

pytestmark = pytest.mark.beam

REPOSITORY = Path(__file__).parents[2]
RACES = 50  # FAULTS.md's


def manifests(out: Path) -> list[Path]:
    """The commit records of an output."""
    return sorted(out.glob("runs/*/manifest.json"))


def test_fifty_races_have_one_winner_each(tiny_night: TinyNight, tmp_path: Path) -> None:
    """One publishes; the other is told to come again (75), or finds it published (0). Whatever it is, it is sound."""
    tiny_night.run()
    before = tiny_night.published()
    tiny_night.replace_input(records(0, 200))
    tiny_night.stage()
    script = str(Path(__file__).with_name("race_to_publish.py"))
    arguments = [str(tiny_night.job), str(tiny_night.out), str(tmp_path / "races"), str(RACES)]
    done = subprocess.run(
        [sys.executable, script, *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    races = done.stdout.splitlines()

    assert before.num_rows == 300
    assert len(races) == RACES
    assert set(races) <= {"exit 75,published", "already published,published"}
    outputs = [tmp_path / "races" / str(race) for race in range(RACES)]
    assert Counter(len(manifests(out)) for out in outputs) == {2: RACES}  # the old result's, and one more
    assert [problem for out in outputs for problem in verify(out, DATE).problems] == []
    tiny_night.assert_sound(outputs[0])
    tiny_night.assert_sound(outputs[-1])


@pytest.mark.parametrize("race", range(2))
def test_of_two_commands_one_publishes(tiny_night: TinyNight, race: int) -> None:
    """The whole command, twice at once."""
    tiny_night.run()
    tiny_night.replace_input(records(0, 200))
    with watching(tiny_night.out, DATE):
        processes = [start(tiny_night.arguments("execution.unit_rows=20"), f"race {race}") for _ in range(2)]
        ends = [finish(process) for process in processes]

    told = sorted((end.code, end.result["status"] if end.code == 0 else "") for end in ends)
    assert told in ([(0, "published"), (75, "")], [(0, "already published"), (0, "published")]), ends
    tiny_night.assert_sound(mark=f"race {race}")
