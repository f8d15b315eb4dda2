"""Worker processes that die must stop the run, not hang it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import apache_beam as beam
import psutil
import pytest

from models.errors import WorkerCrashed
from pipelines import processes
from pipelines.processes import run_watched
from pipelines.runners import options_for, run
from transforms.workers.family import descendants


def test_result_is_that_of_the_work() -> None:
    """Nothing died: the work's own result."""
    assert run_watched(lambda: 42) == 42


def test_error_is_that_of_the_work() -> None:
    """Nothing died: the work's own exception."""
    with pytest.raises(ZeroDivisionError):
        run_watched(lambda: 1 // 0)


def test_death_of_a_worker_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that waits for a worker fails as Beam's does, while the work would wait for ever."""
    monkeypatch.setattr(processes, "END_SECONDS", 0.1)

    def work() -> None:
        def waiter() -> None:
            raise RuntimeError("Worker subprocess exited with return code 137")

        threading.Thread(target=waiter).start()
        threading.Event().wait()

    with pytest.raises(WorkerCrashed, match="return code 137"):
        run_watched(work)


def test_hook_for_threads_is_put_back() -> None:
    """Other users of threading.excepthook are not disturbed."""
    before = threading.excepthook

    run_watched(lambda: None)

    assert threading.excepthook is before


class DieOn(beam.DoFn):  # type: ignore[misc]  # Beam ships no types
    """Kills its own process at one element."""

    def process(self, element: tuple[int, object]) -> None:
        """Unit 3 is deadly."""
        if element[0] == 3:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.beam
def test_killed_worker_process_stops_the_run() -> None:
    """Beam alone would wait for ever; the run ends within 30 s and leaves no worker process."""
    pipeline = beam.Pipeline(options=options_for([], processes=2))
    _ = pipeline | beam.Create([(i, i) for i in range(8)]) | beam.GroupByKey() | beam.ParDo(DieOn())
    begin = time.monotonic()

    with pytest.raises(WorkerCrashed, match="return code"):
        run(pipeline)

    assert time.monotonic() - begin < 30
    commands = [Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in descendants(os.getpid())]
    assert not [c for c in commands if sys.executable.encode() in c and b"beam_worker" in c]


@pytest.mark.beam
def test_workers_end_with_their_driver() -> None:
    """A worker process whose driver was killed is killed by the kernel at once, whatever it is waiting for."""
    script = (
        "import os, subprocess, sys, time\n"
        "worker = '''\n"
        "import time\n"
        "from pipelines.beam_worker import end_with\n"
        "end_with(%d)\n"
        "print(1, flush=True)\n"
        "time.sleep(60)\n"
        "'''\n"
        "child = subprocess.Popen([sys.executable, '-c', worker % os.getpid()], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    worker = psutil.Process(int(driver.stdout.readline()))

    driver.kill()
    driver.wait()

    worker.wait(timeout=5)  # raises when it is still there


def test_a_worker_whose_driver_is_gone_already_ends_at_once() -> None:
    """The process with the driver's number is not the parent: nothing would ever end it."""
    done = subprocess.run([sys.executable, "-m", "pipelines.beam_worker", "1"], check=False, timeout=60)

    assert done.returncode == 1
