"""F24: the clock is a day off or jumps, the run crosses midnight, TZ is set oddly.

What is wrong with the clock is told to the runs by `false_clock/sitecustomize.py`; it says what that covers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from models.errors import LeaseHeld
from tests.e2e.retail import PROGRAM
from tests.faults.nights import KEY, TinyNight, make_night
from tests.faults.oracle import assert_sound
from tests.pipelines.tiny_jobs import DATE, records
from transforms.sinks.clock import SystemClock
from transforms.sinks.durable import read_json
from transforms.sinks.layout import Layout
from transforms.sinks.lease import Lease
from transforms.sinks.owner import Owner

FALSE_CLOCK = Path(__file__).parent / "false_clock"
DAY = 86400
ROWS = 80
MIDNIGHTS = "x40000"  # 40,000 s pass in each: a midnight every 2.2 s, and a night takes longer


@dataclass(frozen=True)
class Place:
    """Where and when a run believes to be."""

    zone: str
    clock: str = ""
    """For FALSE_CLOCK."""


HERE = Place("UTC")
PLACES = (
    Place("Pacific/Kiritimati", f"+{DAY}"),  # 14 hours ahead of UTC: tomorrow for most of the day
    Place("America/St_Johns", f"-{DAY}"),  # half an hour off the others
    Place("CET-1CEST,M3.5.0,M10.5.0/3", MIDNIGHTS),  # a rule, with daylight saving
    Place("UTC", "jumping"),
)


def run_at(place: Place, night: TinyNight) -> TinyNight:
    """`amalgam run` of a night, in a process that believes to be there."""
    path = os.pathsep.join([str(FALSE_CLOCK), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "TZ": place.zone, "FALSE_CLOCK": place.clock, "PYTHONPATH": path}
    done = subprocess.run([PROGRAM, *night.arguments()], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return night


def night_with_times(folder: Path) -> TinyNight:
    """Records with event times that name no zone; some fall into the hours that daylight saving skips or repeats."""
    rows = records(0, ROWS)
    odd = [datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30), datetime(2026, 11, 22, 23, 59, 59)]
    times = [odd[i] if i < len(odd) else datetime(2026, 11, 23) + timedelta(minutes=i) for i in range(ROWS)]
    keys = ["", *rows[KEY].to_pylist()[1:]]  # one row for the quarantine
    rows = rows.set_column(0, KEY, pa.array(keys)).append_column("seen", pa.array(times, pa.timestamp("us")))
    return make_night(folder, rows, input={"path": "data/date={date}", "key": KEY, "event_timestamp": "seen"})


def files(night: TinyNight) -> dict[str, bytes]:
    """Name -> bytes of everything that a reader may see."""
    found = [path for kind in ("features", "quarantine") for path in (night.out / kind).rglob("*") if path.is_file()]
    return {str(path.relative_to(night.out)): path.read_bytes() for path in found}


def record(night: TinyNight) -> dict[str, Any]:
    """The manifest but for how long things took, and its digest over that too."""
    (path,) = Layout(night.out).runs.glob("*/manifest.json")
    manifest = read_json(path)
    del manifest["sha256"]
    for timing in ("seconds", "throughput", "worker_usage"):
        del manifest["details"][timing]
    for counts in (manifest["ledger"]["total"], *manifest["ledger"]["units"].values()):
        del counts["seconds"]
    return manifest


@pytest.mark.beam
def test_outputs_do_not_know_the_time(tmp_path: Path) -> None:
    """The night gives the same bytes, names and record in four zones and by five clocks, and event times stay."""
    nights = [night_with_times(tmp_path / f"{number}") for number in range(1 + len(PLACES))]
    with ThreadPoolExecutor(2) as pool:  # as many at a time as the smallest machine has cores
        here, *elsewhere = pool.map(run_at, (HERE, *PLACES), nights)

    assert len(files(here)) == 2
    assert [place for place, night in zip(PLACES, elsewhere, strict=True) if files(night) != files(here)] == []
    assert [place for place, night in zip(PLACES, elsewhere, strict=True) if record(night) != record(here)] == []
    second = here.published()["event_timestamp"][0]  # of the second row: the first has no key
    assert second.as_py() == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
    assert_sound(here.out, here.inputs, key=KEY, date=DATE)


def test_the_false_clock_is_false() -> None:
    """A process that is told to be a day ahead believes it, by every way of asking."""
    ask = (
        "import time, datetime as d; print(time.time(), time.time_ns() / 1e9, time.mktime(time.localtime()), "
        "d.datetime.now().timestamp(), time.mktime(d.date.today().timetuple()))"
    )
    told = {}
    for clock in ("", f"+{DAY}"):
        environment = {**os.environ, "FALSE_CLOCK": clock, "PYTHONPATH": str(FALSE_CLOCK)}
        done = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
        told[clock] = [float(seconds) for seconds in done.stdout.split()]
    ahead = [late - true for true, late in zip(*told.values(), strict=True)]
    assert ahead == pytest.approx([DAY] * 5, abs=60)  # the processes start some time after each other


class OffClock(SystemClock):
    """A clock whose time of day is wrong, and which may be set again; the steady one is right."""

    def __init__(self, off: float) -> None:
        self.off = off

    def wall(self) -> float:
        return super().wall() + self.off


@pytest.fixture(params=[DAY, -DAY], ids=["a day ahead", "a day behind"])
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lease]:
    """A lease held in `tmp_path` by a living process of this machine whose clock is a day off."""
    with Lease.acquire(tmp_path, "shop", DATE, clock=OffClock(request.param)) as lease:
        yield lease


def test_a_lease_is_held_whatever_the_clock_says(held: Lease, tmp_path: Path) -> None:
    """A run whose clock is right neither takes the lease over nor waits longer than its time to live."""
    with pytest.raises(LeaseHeld, match=r"last sign of life 0 s ago and holds the lease for another 60 s"):
        Lease.acquire(tmp_path, "shop", DATE)

    held.check()


def test_a_released_lease_is_free_whatever_the_clock_says(held: Lease, tmp_path: Path) -> None:
    """What a run with a wrong clock gave back, one with a right clock takes at once, with the next number."""
    held.release()

    with Lease.acquire(tmp_path, "shop", DATE) as lease:
        assert lease.number == held.number + 1


@pytest.mark.parametrize("off", [DAY, -DAY])
def test_a_dead_holder_with_a_wrong_clock_is_replaced(tmp_path: Path, off: float) -> None:
    """The death of a holder is seen by its process, not by the time that it wrote."""
    ended = subprocess.run(["true"], check=False)
    this = Owner.this_process()
    dead = Owner(this.host, this.boot, pid=ended.returncode + 2**22, started="1")  # beyond the largest number there is
    holder = Lease.acquire(tmp_path, "shop", DATE, owner=dead, clock=OffClock(off))
    holder._stop.set()  # a dead process sends no heartbeat

    with Lease.acquire(tmp_path, "shop", DATE) as lease:
        assert lease.number == holder.number + 1
