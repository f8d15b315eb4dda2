"""Processes below this one are found, and ended: those that still live, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from transforms.workers.family import Member, descendants, end

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def test_children_of_children_are_found() -> None:
    """A shell and the process that it waits for."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        grandchild = int(shell.stdout.readline())

        found = {member.pid for member in descendants(os.getpid())}

        end(descendants(os.getpid()), 0)
    assert {shell.pid, grandchild} <= found


def test_the_stubborn_are_killed() -> None:
    """A process that ignores SIGTERM and does not end in time."""
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()

        end([member for member in descendants(os.getpid()) if member.pid == process.pid], 0.2)

        assert process.wait(timeout=5) == -9


def test_those_that_end_by_themselves_are_left_to_it() -> None:
    """Waiting stops when all are gone, long before patience does."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.3)"]) as process:
        members = [member for member in descendants(os.getpid()) if member.pid == process.pid]
        began = time.monotonic()

        end(members, 60)

        assert time.monotonic() - began < 30
        assert process.wait() == 0


def test_a_number_that_was_used_again_is_spared() -> None:
    """The same number with another start is another process."""
    with subprocess.Popen(SLEEP) as process:
        end([Member(process.pid, "0")], 0)

        assert process.poll() is None
        process.kill()
