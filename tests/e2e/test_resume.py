"""A night that is run again, killed, interrupted or started twice; with real processes, really killed."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.retail import (
    DATE,
    Shop,
    amalgam,
    by_key,
    finish,
    marked,
    parts,
    read,
    start,
    state,
    unequal_bits,
)
from transforms.sinks.durable import read_json
from transforms.sinks.layout import Layout

pytestmark = pytest.mark.beam

SMALL_UNITS = "execution.unit_rows=25"
UNITS = 24  # 600 rows
INLINE = ("workers.address=inline", SMALL_UNITS)
RAY = ("workers.address=local", SMALL_UNITS)
ONE_PROCESS = (*INLINE, "execution.processes=1")
WAYS = [
    pytest.param(ONE_PROCESS, id="one process"),
    pytest.param((*INLINE, "execution.processes=2"), id="two processes"),
    pytest.param((*RAY, "execution.processes=2"), id="two processes and Ray", marks=pytest.mark.ray),
]
ORPHANS_SECONDS = 30.0  # in which the processes of a killed run must be gone; the same as for a clean interruption
START_SECONDS = 240.0  # generous: a driver on a loaded machine imports for half a minute, and Ray starts as long
NOWHERE = "127.0.0.1:9"  # the discard service's port, where nothing listens


def test_a_second_identical_run_does_nothing(shop: Shop, tmp_path: Path) -> None:
    """The same command again says `already published`, exits 0, and leaves every file as it was."""
    out = tmp_path / "out"
    shop.run(out)
    before = state(out)

    began = time.monotonic()
    done = amalgam(*shop.arguments("run", out))

    print(f"second run: {time.monotonic() - began:.1f} s")  # noqa: T201  # told with -s; the promise is 10 s
    assert (done.code, done.result["status"]) == (0, "already published"), done.err
    assert state(out) == before


def test_a_second_identical_run_needs_neither_beam_nor_ray(shop: Shop, tmp_path: Path) -> None:
    """It succeeds where no job server and no Ray answer, so it can have started neither."""
    out = tmp_path / "out"
    shop.run(out)
    beam_options = ["--", "--runner=PortableRunner", f"--job_endpoint={NOWHERE}"]

    done = amalgam(*shop.arguments("run", out, f"workers.address=ray://{NOWHERE}"), *beam_options)

    assert (done.code, done.result["status"]) == (0, "already published"), done.err


@pytest.mark.parametrize("settings", WAYS)
def test_a_killed_run_is_finished_by_the_same_command(
    shop: Shop, undisturbed: Path, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    """After kill -9 half-way the same command publishes what an undisturbed run does, and redoes no finished unit."""
    out = tmp_path / "out"
    with half_way(shop, out, *settings) as run:
        run.process.kill()
        finish(run.process)
        assert_all_end(run.mark)
        finished = finished_parts(out)

    done = amalgam(*shop.arguments("run", out, *settings))

    assert (done.code, done.result["status"]) == (0, "published"), done.err
    assert 0 < len(finished) < UNITS
    assert done.result["units_resumed"] == len(finished)
    assert finished.items() <= identities(out).items()
    assert unequal_bits(by_key(read(out)), by_key(read(undisturbed))) == []
    assert_nothing_left(out)


@pytest.mark.parametrize("settings", WAYS)
def test_a_terminated_run_cleans_up(shop: Shop, tmp_path: Path, settings: tuple[str, ...]) -> None:
    """SIGTERM half-way: exit 143 within 30 s, no process left, the lease free, the old output as it was."""
    out = tmp_path / "out"
    shop.run(out)
    published = state(out / "features")
    with half_way(shop, out, *settings) as run:
        run.process.send_signal(signal.SIGTERM)
        done = finish(run.process, timeout=30)
        left = marked(run.mark)

    assert (done.code, done.out) == (143, "")
    assert "amalgam:" not in done.err  # nothing went wrong
    assert left == []
    assert state(out / "features") == published
    assert_lease_is_free(out)
    again = amalgam(*shop.arguments("run", out, *settings))
    assert again.code == 0, again.err
    assert again.result["units_resumed"] > 0


def test_an_interrupted_run_exits_with_130(shop: Shop, tmp_path: Path) -> None:
    """Control-C half-way is told apart from SIGTERM and frees the lease too."""
    out = tmp_path / "out"
    with half_way(shop, out, *ONE_PROCESS) as run:
        run.process.send_signal(signal.SIGINT)
        done = finish(run.process, timeout=30)

    assert (done.code, done.out) == (130, "")
    assert "Traceback" not in done.err
    assert_lease_is_free(out)


def test_of_two_runs_at_once_one_publishes(shop: Shop, undisturbed: Path, tmp_path: Path) -> None:
    """While one run holds the date, the same command exits 75 and names the holder; the first is not disturbed."""
    out = tmp_path / "out"
    with half_way(shop, out, *ONE_PROCESS) as first:
        first.process.send_signal(signal.SIGSTOP)  # so that it surely still holds the lease when the second comes
        second = amalgam(*shop.arguments("run", out, *ONE_PROCESS))
        first.process.send_signal(signal.SIGCONT)
        done = finish(first.process)

    assert (second.code, second.out) == (75, "")
    assert f"process {first.process.pid}" in second.err
    assert (done.code, done.result["status"]) == (0, "published"), done.err
    assert unequal_bits(by_key(read(out)), by_key(read(undisturbed))) == []


class Started:
    """A run that is under way, and the mark of its processes."""

    def __init__(self, shop: Shop, out: Path, *settings: str) -> None:
        self.mark = uuid.uuid4().hex
        self.process = start(shop.arguments("run", out, *settings), self.mark)


@contextmanager
def half_way(shop: Shop, out: Path, *settings: str) -> Iterator[Started]:
    """A run of which some units are done and some are not; whatever it leaves behind is killed."""
    run = Started(shop, out, *settings)
    try:
        wait_until(lambda: bool(finished_parts(out)) or run.process.poll() is not None, START_SECONDS)
        assert len(finished_parts(out)) < UNITS
        assert run.process.poll() is None, finish(run.process).err
        yield run
    finally:
        for process in marked(run.mark):
            process.kill()
        run.process.wait()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Poll until it holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def finished_parts(out: Path) -> dict[str, tuple[int, int]]:
    """Name -> (inode, time of change) of the staged part of every finished unit."""
    units = Layout(out).all_staging.glob("*/units/*.json")
    found = [(unit.parents[1] / "features", unit.stem) for unit in units]
    paths = [path for folder, unit in found for path in folder.glob(f"part-{unit}-*.parquet")]
    return {path.name: identity(path) for path in paths}


def identities(out: Path) -> dict[str, tuple[int, int]]:
    """The same of every published part."""
    return {path.name: identity(path) for path in parts(out)}


def identity(path: Path) -> tuple[int, int]:
    """What changes when a file is written again, and stays when its folder is renamed."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns


def assert_all_end(mark: str) -> None:
    """No process of a killed run goes on for long: Beam's workers, Ray and its actors notice that it is gone."""
    wait_until(lambda: not marked(mark), ORPHANS_SECONDS)


def assert_lease_is_free(out: Path) -> None:
    """The next run need not wait."""
    assert read_json(Layout(out).leases / f"retail-{DATE}.json")["released"]


def assert_nothing_left(out: Path) -> None:
    """Staging holds nothing but the freed lease."""
    assert_lease_is_free(out)
    assert [path.name for path in Layout(out).all_staging.iterdir()] == ["leases"]
