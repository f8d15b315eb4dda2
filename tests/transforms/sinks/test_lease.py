"""Tests of leases: one holder at a time, takeover from the dead, and the fencing number."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import LeaseHeld, PermissionRefused
from tests.transforms.sinks.systems import LosesAnswers
from transforms.sinks import storage
from transforms.sinks.clock import FakeClock
from transforms.sinks.durable import read_json
from transforms.sinks.lease import Lease, is_left_behind, may_be_held
from transforms.sinks.owner import Owner
from transforms.sinks.retry import Patience

DATE = "2026-11-23"
REPOSITORY = Path(__file__).parents[3]
ELSEWHERE = replace(Owner.this_process(), host="other-host")


def _acquire(folder: Path, clock: FakeClock, owner: Owner | None = None) -> Lease:
    return Lease.acquire(folder, "retail", DATE, owner=owner, clock=clock, ttl=60)


def test_a_held_lease_is_refused_by_name(tmp_path: Path) -> None:
    """The message says who holds it, since when nothing was heard, and when it ends."""
    clock = FakeClock()
    with _acquire(tmp_path, clock):
        clock.advance(25)
        with pytest.raises(LeaseHeld) as refused:
            _acquire(tmp_path, clock)
    me = Owner.this_process()
    assert f"process {me.pid} on {me.host}" in str(refused.value)
    assert "25 s ago" in str(refused.value)
    assert "another 35 s" in str(refused.value)  # 60 - 25


def test_other_jobs_and_dates_are_free(tmp_path: Path) -> None:
    """A lease is for one job and one date."""
    with (
        Lease.acquire(tmp_path, "retail", DATE),
        Lease.acquire(tmp_path, "retail", "2026-11-24"),
        Lease.acquire(tmp_path, "finance", DATE) as third,
    ):
        third.check()


def test_a_released_lease_is_free_and_the_number_grows(tmp_path: Path) -> None:
    """Each holder has a higher number than the one before, also after a release."""
    clock = FakeClock()
    numbers = []
    for _ in range(3):
        with _acquire(tmp_path, clock) as lease:
            numbers.append(lease.number)
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize(("silence", "free"), [(60.0, False), (60.1, True)])
def test_a_silent_holder_elsewhere_loses_it_after_ttl(tmp_path: Path, silence: float, free: bool) -> None:
    """On another machine only time can tell."""
    clock = FakeClock()
    held = _acquire(tmp_path, clock, ELSEWHERE)
    clock.advance(silence)
    if free:
        with _acquire(tmp_path, clock) as lease:
            assert lease.number == 2
    else:
        with pytest.raises(LeaseHeld):
            _acquire(tmp_path, clock)
    held.release()


def test_a_heartbeat_extends_it(tmp_path: Path) -> None:
    """70 s after the start but 40 s after the last heartbeat, it is still held."""
    clock = FakeClock()
    with _acquire(tmp_path, clock, ELSEWHERE) as held:
        clock.advance(30)
        held.heartbeat()
        clock.advance(40)
        with pytest.raises(LeaseHeld, match="40 s ago"):
            _acquire(tmp_path, clock)


def test_setting_the_clock_moves_nothing_on_one_machine(tmp_path: Path) -> None:
    """A day forward or back on the wall clock: the holder on this machine keeps its lease."""
    clock = FakeClock()
    with _acquire(tmp_path, clock):
        for jump in (86_400, -2 * 86_400):
            clock.wall_seconds += jump
            with pytest.raises(LeaseHeld):
                _acquire(tmp_path, clock)


def test_one_who_slept_is_fenced_off(tmp_path: Path) -> None:
    """Stopped for longer than ttl, taken over, woken up: check, heartbeat and fence all refuse."""
    clock = FakeClock()
    asleep = _acquire(tmp_path, clock)
    clock.advance(61)
    with _acquire(tmp_path, clock) as successor:
        for attempt in (asleep.check, asleep.heartbeat, lambda: asleep.fence().__enter__()):
            with pytest.raises(LeaseHeld, match=r"fencing number 1; got .* number 2"):
                attempt()
        asleep.release()  # harmless
        successor.check()
        assert read_json(tmp_path / f"retail-{DATE}.json")["released"] is False


def test_nobody_takes_over_inside_the_fence(tmp_path: Path) -> None:
    """A taker waits until the fenced step is over, though the lease has expired."""
    clock, order = FakeClock(), []
    lease = _acquire(tmp_path, clock)
    clock.advance(61)

    def take() -> None:
        with _acquire(tmp_path, clock):
            order.append("taken")

    taker = threading.Thread(target=take)
    with lease.fence():
        taker.start()
        time.sleep(0.1)
        order.append("published")
    taker.join()
    assert order == ["published", "taken"]
    lease.release()


def test_the_thread_keeps_it_alive(tmp_path: Path) -> None:
    """With a ttl of 0.4 s, heartbeats come by themselves."""
    with Lease.acquire(tmp_path, "retail", DATE, ttl=0.4):
        path = tmp_path / f"retail-{DATE}.json"
        first = read_json(path)["steady"]
        deadline = time.monotonic() + 10
        while read_json(path)["steady"] == first:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_killed_holder_is_replaced_at_once(tmp_path: Path) -> None:
    """kill -9, and the next one need not wait for the lease to expire; the living holder is not replaced."""
    code = (
        "import sys, time; from pathlib import Path; from transforms.sinks.lease import Lease;"
        f"Lease.acquire(Path(sys.argv[1]), 'retail', '{DATE}', ttl=3600); print('held', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(LeaseHeld):
        Lease.acquire(tmp_path, "retail", DATE)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with Lease.acquire(tmp_path, "retail", DATE) as lease:
        assert lease.number == 2


def test_fifty_races_have_one_winner_each(tmp_path: Path) -> None:
    """Two processes take the same lease at the same moment, 50 times."""
    script = Path(__file__).with_name("race_for_leases.py")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), "50"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1"] * 50


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission denied is not "another run holds it"."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("transforms.sinks.lease.os.open", refuse)
    with pytest.raises(PermissionRefused, match="Permission denied"):
        Lease.acquire(tmp_path, "retail", DATE)


@pytest.mark.parametrize(("silence", "held"), [(86_400.0, True), (2 * 86_400.0 + 61, False)])
def test_a_clock_that_is_a_day_off_protects_a_run_elsewhere(tmp_path: Path, silence: float, held: bool) -> None:
    """Who would remove its staging waits for two days more than who would take over (60 s)."""
    clock = FakeClock()
    lease = _acquire(tmp_path, clock, ELSEWHERE)
    clock.wall_seconds += silence
    assert may_be_held(tmp_path, "retail", DATE, clock) is held
    lease.release()


def test_what_may_be_held_on_this_machine_is_known_exactly(tmp_path: Path) -> None:
    """The steady clock counts; a released lease is held by nobody, and so is one that never was."""
    clock = FakeClock()
    assert not may_be_held(tmp_path, "retail", DATE, clock)
    with _acquire(tmp_path, clock):
        clock.wall_seconds -= 10 * 86_400
        assert may_be_held(tmp_path, "retail", DATE, clock)
        clock.advance(61)
        assert not may_be_held(tmp_path, "retail", DATE, clock)
    assert not may_be_held(tmp_path, "retail", DATE, clock)


def test_a_lease_that_cannot_be_given_back_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage is away when a run has ended, well or not: how it ended is what counts, and the lease expires."""
    clock = FakeClock()
    lease = _acquire(tmp_path, clock)
    with monkeypatch.context() as away:
        away.setattr(storage, "SYSTEM", LosesAnswers(errno.EIO, lambda _: True, acts=False))
        away.setattr(storage, "PATIENCE", Patience(sleep=lambda _: None))
        lease.release()
    assert may_be_held(tmp_path, "retail", DATE, clock)
    clock.advance(61)
    assert _acquire(tmp_path, clock).number == 2


def test_a_lease_of_the_dead_is_left_behind(tmp_path: Path) -> None:
    """Not before there is one, not while its holder lives, not once it is released."""
    clock = FakeClock()
    known = [is_left_behind(tmp_path, "retail", DATE, clock)]
    with _acquire(tmp_path, clock):
        known.append(is_left_behind(tmp_path, "retail", DATE, clock))
    known.append(is_left_behind(tmp_path, "retail", DATE, clock))
    _acquire(tmp_path, clock, replace(Owner.this_process(), started="0"))  # no process of this number started then
    known.append(is_left_behind(tmp_path, "retail", DATE, clock))

    assert known == [False, False, False, True]
