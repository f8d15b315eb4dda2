"""Ray workers under fire: actors killed, stopped and stuck; drivers killed; clusters that are not there."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import WorkerDied
from tests.transforms.workers.ops import DoubledSpec, Misbehaviour, batch
from transforms.workers.base import WorkersSpec
from transforms.workers.ray_actors import RayWorkers

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def running() -> Iterator[WorkersSpec]:
    """A Ray of this module, with a deadline of 2 s."""
    with WorkersSpec(deadline=2.0, max_restarts=2).start() as started:
        yield started.spec


@pytest.fixture
def workers(running: WorkersSpec) -> RayWorkers:
    """This process's door to it."""
    return RayWorkers(running)


@pytest.mark.ray
@pytest.mark.parametrize("misbehave", ["die", "hang", "spin"])
def test_batch_is_run_again_after_a_death(workers: RayWorkers, tmp_path: Path, misbehave: Misbehaviour) -> None:
    """An actor that dies, is stopped, or does not finish costs one more try, and no row."""
    op = workers.remote(DoubledSpec(misbehave=misbehave, once=str(tmp_path / "seen")), misbehave)

    futures = [op.submit(batch(rows)) for rows in (1, 2, 3)]

    assert [f.result().num_rows for f in futures] == [1, 2, 3]
    assert (tmp_path / "seen").exists()
    assert op.deaths >= 1


@pytest.mark.ray
def test_gives_up_after_max_restarts(workers: RayWorkers) -> None:
    """With max_restarts 2 a batch that kills its worker is tried 3 times, then WorkerDied (exit 75)."""
    op = workers.remote(DoubledSpec(misbehave="die"), "deadly")

    with pytest.raises(WorkerDied, match="must survive a batch of 4 rows; died 3 times"):
        op(batch())


@pytest.mark.ray
def test_actor_is_made_anew_after_its_last_restart(workers: RayWorkers) -> None:
    """Six kills in a row, twice as many as Ray restarts by itself, and every batch is still answered."""
    op = workers.remote(DoubledSpec(), "killed_often")

    for _ in range(6):
        os.kill(op(batch(1)).column("pid")[0].as_py(), signal.SIGKILL)

    assert op(batch(2)).column("y").to_pylist() == [0, 2]


def _pid_of_actor(spec: WorkersSpec, queue: multiprocessing.Queue[int]) -> None:
    queue.put(RayWorkers(spec).remote(DoubledSpec(), "shared")(batch(1)).column("pid")[0].as_py())


@pytest.mark.ray
def test_processes_share_one_actor(running: WorkersSpec) -> None:
    """Two processes that ask at the same moment are served by one actor, which outlives both."""
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=_pid_of_actor, args=(running, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    pids = {queue.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(timeout=60)

    mine = RayWorkers(running).remote(DoubledSpec(), "shared")(batch(1)).column("pid")[0].as_py()

    assert pids == {mine}


@pytest.mark.ray
def test_replicas_share_the_work(running: WorkersSpec) -> None:
    """Four batches under way go to both of two actors."""
    op = RayWorkers(running.model_copy(update={"replicas": 2})).remote(DoubledSpec(seconds=0.05), "pair")

    futures = [op.submit(batch(1)) for _ in range(4)]

    assert len({f.result().column("pid")[0].as_py() for f in futures}) == 2
