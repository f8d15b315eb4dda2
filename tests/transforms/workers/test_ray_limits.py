"""Limits of a Ray run: how many workers may die in it, and what is left of it without its witness."""

from __future__ import annotations

import os
import signal
import time
from typing import NamedTuple

import psutil
import pytest
import ray

from models.errors import WorkerCrashed, WorkerDied
from tests.transforms.workers.ops import DoubledSpec, batch
from transforms.workers.base import WorkersSpec
from transforms.workers.ray_actors import WITNESS
from transforms.workers.ray_ops import RayOp, RayWorkers

pytestmark = pytest.mark.ray  # each test has a Ray of its own


def pid_of(op: RayOp) -> int:
    """The process that does the op's work."""
    pid: int = op(batch(1)).column("pid")[0].as_py()
    return pid


class Ended(NamedTuple):
    """A run with max_crashes 2 that is over."""

    errors: list[WorkerDied]
    """Of three batches that kill their worker."""
    restarts: int
    """As told after the end."""


@pytest.fixture(scope="module")
def ended() -> Ended:
    """Each batch has its own death."""
    with WorkersSpec(max_crashes=2).start() as running:
        op = RayWorkers(running.spec).remote(DoubledSpec(misbehave="die"), "deadly")
        errors = [died(op) for _ in range(3)]
    assert not ray.is_initialized()
    return Ended(errors, running.restarts())


def died(op: RayOp) -> WorkerDied:
    """What is raised for a batch whose worker died."""
    with pytest.raises(WorkerDied) as caught:
        op(batch())
    return caught.value


def test_deaths_of_a_run_are_limited(ended: Ended) -> None:
    """The third of at most two deaths ends the run; the first two are their batches' affair."""
    assert [type(error) for error in ended.errors] == [WorkerCrashed, WorkerCrashed, WorkerDied]
    assert "at most 2 workers may die in a run (workers.max_crashes)" in str(ended.errors[-1])


def test_restarts_are_remembered_when_ray_is_gone(ended: Ended) -> None:
    """Two deaths were followed by a start, the third was not."""
    assert ended.restarts == 2


def test_without_a_witness_nobody_is_blamed_and_nothing_hangs() -> None:
    """When it is gone for good, batches of dead workers are tried again, at most max_restarts times in a row."""
    with WorkersSpec(max_restarts=1).start() as running:
        workers = RayWorkers(running.spec)
        op, deadly = (workers.remote(spec, "op") for spec in (DoubledSpec(), DoubledSpec(misbehave="die")))
        pid = pid_of(op)
        ray.kill(ray.get_actor(WITNESS, namespace=running.spec.namespace))

        os.kill(pid, signal.SIGKILL)

        assert pid_of(op) != pid
        error = died(deadly)
        assert (type(error), "2 died before" in str(error)) == (WorkerDied, True)
        assert running.restarts() == 0  # nobody counted


@pytest.mark.slow
def test_a_stopped_witness_does_not_stop_the_run() -> None:
    """Each actor waits for its answer once, then goes on without."""
    with WorkersSpec().start() as running:
        op = RayWorkers(running.spec).remote(DoubledSpec(), "patient")
        op(batch())
        (witness,) = (p for p in psutil.Process().children(recursive=True) if p.name().startswith("ray::Witness"))
        witness.suspend()
        began = time.monotonic()

        results = [op(batch(rows)) for rows in (1, 2, 3)]

        assert [result.num_rows for result in results] == [1, 2, 3]
        assert 10 <= time.monotonic() - began < 15  # WORD_SECONDS, once
