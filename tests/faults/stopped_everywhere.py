"""Script: a publication is stopped before each change that it makes to the file system; another run takes over.

Usage: stopped_everywhere.py FOLDER STRIDE TAG. Prints one JSON object for each trial; a STRIDE of 3 tries every third
change; TAG is that of the run that takes over: `first`, the same run with the parts that are staged, or `second`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.errors import AmalgamError, TemporaryError
from pipelines.verify import verify
from tests.e2e.retail import state
from tests.transforms.sinks.publish_killed_everywhere import CHANGES, LINKS, REMOVALS, sink_of
from tests.transforms.sinks.samples import DATE, ledger_of, publish, run_info, write_units
from transforms.sinks import lease
from transforms.sinks.base import Part
from transforms.sinks.layout import Layout
from transforms.sinks.lease import Lease
from transforms.sinks.manifest import read_manifest
from transforms.sinks.standing import published_run

TTL = 0.2  # of the lease that expires, in seconds
OTHERS_TTL = 60.0


def publish_with(held: Lease, output: Path, tag: str, parts: list[Part]) -> None:
    """Publish inside the lease's fence, with its number in the manifest."""
    details = {"key": "customer_id", "keep": ["segment"], "fencing": held.number}
    sink_of(output, tag).publish(parts, ledger_of(parts), details, fence=held.fence)


def publish_and_stop(event: int, output: Path, parts: list[Part]) -> None:
    """Take the lease, publish, and be stopped before the given change; never returns."""
    seen = 0

    def count(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if threading.current_thread() is not threading.main_thread():
            return  # the lease's heartbeats come by themselves
        if name in REMOVALS | LINKS or (name in CHANGES and str(output) in str(arguments[0])):
            if seen == event:
                os.kill(os.getpid(), signal.SIGSTOP)
            seen += 1

    held = Lease.acquire(Layout(output).leases, "retail", DATE, ttl=TTL)
    sys.addaudithook(count)
    try:
        publish_with(held, output, "first", parts)
    except AmalgamError as error:
        os._exit(error.exit_code)
    os._exit(0)


def trial(event: int, output: Path, parts: dict[str, list[Part]], tag: str) -> dict[str, Any]:
    """One stopped publication: who published, what became of the one that woke up, what stands in the end."""
    child = os.fork()
    if child == 0:
        publish_and_stop(event, output, parts["first"])
    _, status = os.waitpid(child, os.WUNTRACED)
    stopped = os.WIFSTOPPED(status)
    if not stopped:
        return {"stopped": False, "code": os.waitstatus_to_exitcode(status)}
    done = sink_of(output, "first").is_published()
    time.sleep(1.5 * TTL)
    try:
        taker = Lease.acquire(Layout(output).leases, "retail", DATE, ttl=OTHERS_TTL)
    except TemporaryError:  # stopped inside the fence, where nobody takes over
        taker = None
    if taker:
        publish_with(taker, output, tag, parts[tag])
    before = standing(output)
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    after = standing(output)
    run = published_run(output, DATE)
    assert run is not None
    if taker:
        taker.release()
    return {
        "stopped": stopped,
        "was_published": done,
        "taken_over": taker is not None,
        "code": os.waitstatus_to_exitcode(status),
        "unaltered": before == after,
        "run": run,
        "fencing": read_manifest(Layout(output).manifest(run)).details["fencing"],
        "problems": verify(output, DATE).problems,
    }


def standing(output: Path) -> list[dict[str, tuple[int, int, int]]]:
    """All that readers see, and the records of it."""
    return [state(output / name) for name in ("features", "quarantine", "runs")]


def trials(folder: Path, stride: int, tag: str) -> Iterator[dict[str, Any]]:
    """Trials until a publication is no longer stopped."""
    prepared = folder / "prepared"
    publish(sink_of(prepared, "old"), write_units(sink_of(prepared, "old"), units=2))
    parts = {name: write_units(sink_of(prepared, name), units=3, value=2.0) for name in ("first", "second")}
    event, stopped = 0, True
    while stopped:
        output = folder / str(event)
        shutil.copytree(prepared, output, symlinks=True)
        result = trial(event, output, parts, tag)
        stopped = bool(result["stopped"])
        event += stride
        yield {**result, "expected_run": run_info(tag).run_id}


if __name__ == "__main__":
    lease._GUARD_SECONDS = 0.5  # a stopped process keeps the guard; half a minute is a night's
    for line in trials(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]):
        sys.stdout.write(json.dumps(line) + "\n")
