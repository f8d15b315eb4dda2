"""Tests of telling processes apart."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from transforms.sinks.owner import Owner

ME = Owner.this_process()


def test_a_living_process_is_not_dead() -> None:
    """This one is alive."""
    assert not ME.is_dead(seen_from=ME)


def test_a_reused_number_is_another_process() -> None:
    """Same pid, other start: the holder is gone."""
    assert replace(ME, started="1").is_dead(seen_from=ME)


def test_a_process_that_ended_is_dead_even_before_it_is_reaped() -> None:
    """A zombie holds nothing any more."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = f"/proc/{child.pid}/stat"
    with open(stat) as handle:  # noqa: PTH123  # a pseudo file
        started = handle.read().rpartition(")")[2].split()[19]
    owner = replace(ME, pid=child.pid, started=started)
    assert not owner.is_dead(seen_from=ME)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and left as a zombie
    assert owner.is_dead(seen_from=ME)
    child.communicate()


def test_what_runs_elsewhere_cannot_be_judged() -> None:
    """Another host, another start of the machine, or no /proc: only expiry can tell."""
    for other in (replace(ME, host="other"), replace(ME, boot="other"), replace(ME, boot=""), replace(ME, started="")):
        assert not replace(other, pid=2**30).is_dead(seen_from=ME)
