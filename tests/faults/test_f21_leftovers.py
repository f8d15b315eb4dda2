"""F21: leftovers of dead runs lie in staging.

Thirty days old and of run ids that nobody knows: no reader sees them, `amalgam gc` lists them and, told so, removes
them; what a living run or one that is to be resumed needs, stays.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from pipelines import cli
from tests.faults.nights import KEY, TinyNight
from tests.faults.readers import READERS
from tests.pipelines.tiny_jobs import DATE, records
from tests.transforms.sinks.samples import rows, run_info, write_unit
from tests.transforms.sinks.systems import WithoutExchange
from transforms.sinks import storage
from transforms.sinks.durable import read_json, write_json
from transforms.sinks.layout import Layout
from transforms.sinks.lease import Lease
from transforms.sinks.parquet import ParquetSinkSpec

pytestmark = pytest.mark.beam
DAY = 86_400


def age(path: Path, days: float) -> None:
    """Let everything at a path have changed so many days ago, and not since."""
    then = time.time() - days * DAY
    for each in (*path.rglob("*"), path):
        os.utime(each, (then, then), follow_symlinks=False)


def dead_run(out: Path, tag: str, job: str = "shop") -> Path:
    """The staging of a run that finished one unit and died."""
    run = run_info(tag, job=job)
    write_unit(ParquetSinkSpec(path=str(out)).for_run(run).build(), "00000-u", rows(5))
    return Layout(out).staging(run.run_id).root


def litter(out: Path) -> list[Path]:
    """Everything that dead processes can leave, as of thirty days ago."""
    layout = Layout(out)
    made = [
        dead_run(out, "dead"),
        dead_run(out, "foreign", job="of-somebody-else"),
        layout.all_staging / "what-is-this",
        layout.all_staging / "redrive-2026-11-23-unknown",
        layout.all_staging / ".amalgam-probe-x1",
        layout.versions(DATE) / "2026-11-23-dead" / "features",
    ]
    for folder in made[2:]:
        folder.mkdir(parents=True)
        (folder / "part.parquet").write_bytes(b"PAR1 and then nothing")
    temporary = layout.leases / f".shop-{DATE}.json.{'0' * 32}"
    temporary.write_bytes(b"half a lea")
    for path in (*made, temporary):
        age(path, 30)
    return [*made, temporary]


def tree(folder: Path) -> set[Path]:
    """Everything below an output, but for what gc needs itself: leases, and the folder of versions."""
    layout = Layout(folder)
    own = (layout.all_versions, layout.leases)
    return {path for path in folder.rglob("*") if path not in own and (path.parent not in own or path.name[0] == ".")}


@pytest.mark.parametrize("layout", ["exchange", "links"])
def test_leftovers_are_ignored_listed_and_removed(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    """Readers see the night alone; a dry run removes nothing; --yes removes the litter and nothing else."""
    if layout == "links":
        monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    tiny_night.run()
    before = tree(tiny_night.out)
    made = litter(tiny_night.out)
    littered = tree(tiny_night.out)
    capsys.readouterr()

    for name, read in READERS.items():
        assert read(tiny_night.out, DATE, [KEY]).num_rows == 300, name
    assert cli.main(["gc", str(tiny_night.job)]) == 0
    dry = capsys.readouterr().out
    assert tree(tiny_night.out) == littered
    assert cli.main(["gc", str(tiny_night.job), "--yes"]) == 0
    told = capsys.readouterr().out

    assert all(str(path) in dry and str(path) in told for path in made)
    assert "Would remove 7 leftovers" in dry
    assert "Removed 7 leftovers" in told
    assert tree(tiny_night.out) == before
    tiny_night.assert_sound()
    assert cli.main(["gc", str(tiny_night.job), "--yes"]) == 0
    assert capsys.readouterr().out == "Nothing to remove.\n"


def test_what_is_to_be_resumed_the_next_day_stays(tiny_night: TinyNight) -> None:
    """A run that died yesterday is resumed today, also if gc ran in between."""
    staging = dead_run(tiny_night.out, "dead")
    age(staging, 1.5)
    assert cli.main(["gc", str(tiny_night.job), "--yes"]) == 0
    assert (staging / "units" / "00000-u.json").exists()


def test_a_living_runs_staging_stays_however_old_it_looks(tiny_night: TinyNight) -> None:
    """The lease protects it: neither --older-than 0 nor a clock that is a month ahead removes it."""
    staging = dead_run(tiny_night.out, "alive")
    age(staging, 30)
    with Lease.acquire(Layout(tiny_night.out).leases, "shop", DATE):
        assert cli.main(["gc", str(tiny_night.job), "--older-than", "0", "--yes"]) == 0
        assert (staging / "units" / "00000-u.json").exists()
    assert cli.main(["gc", str(tiny_night.job), "--older-than", "0", "--yes"]) == 0
    assert not staging.exists()


def test_a_night_begins_beside_leftovers_as_without(tiny_night: TinyNight) -> None:
    """Staging of the same job and date that cannot be resumed is swept by the next run; the rest waits for gc."""
    tiny_night.replace_input(records(0, 50))
    stale, foreign = dead_run(tiny_night.out, "dead"), dead_run(tiny_night.out, "foreign", job="of-somebody-else")
    write_json(stale / "run.json", asdict(run_info("dead", job="shop")))
    tiny_night.run()
    assert (stale.exists(), foreign.exists()) == (False, True)
    assert tiny_night.published().num_rows == 50


def test_a_lease_of_a_run_that_died_tidying_up_is_given_back(tiny_night: TinyNight) -> None:
    """All was published and staging gone when it was killed: the same command finds that, and leaves nothing."""
    tiny_night.run()
    path = Layout(tiny_night.out).leases / f"shop-{DATE}.json"
    record = read_json(path)
    dead = {**record["owner"], "started": "0"}  # no process of this number started then
    write_json(path, {**record, "released": False, "owner": dead})

    again = tiny_night.run()

    assert again.status == "already published"
    assert read_json(path)["released"]
    tiny_night.assert_sound()
