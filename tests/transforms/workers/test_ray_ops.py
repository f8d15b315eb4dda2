"""Ray workers under fire: actors killed, stopped and stuck, and who is told that it may be to blame."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from models.errors import ConfigError, WorkerCrashed, WorkerDied
from tests.transforms.workers.ops import DoubledSpec, Misbehaviour, batch
from transforms.workers.base import Running, WorkersSpec
from transforms.workers.ray_ops import WAKING_BATCHES, WAKING_ROWS, RayOp, RayWorkers, pause

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def started() -> Iterator[Running]:
    """A Ray of this module, with a deadline of 2 s."""
    with WorkersSpec(deadline=2.0, max_restarts=2).start() as started:
        yield started


@pytest.fixture
def workers(started: Running) -> RayWorkers:
    """This process's door to it."""
    return RayWorkers(started.spec)


def pid_of(op: RayOp) -> int:
    """The process that does the op's work."""
    pid: int = op(batch(1)).column("pid")[0].as_py()
    return pid


@pytest.mark.ray
@pytest.mark.parametrize("misbehave", ["die", "hang", "spin", "device"])
def test_the_batch_at_work_is_told(workers: RayWorkers, tmp_path: Path, misbehave: Misbehaviour) -> None:
    """An actor that dies, is stopped, does not finish or loses its device: the batch it was at may be to blame."""
    op = workers.remote(DoubledSpec(misbehave=misbehave, once=str(tmp_path / "seen")), misbehave)

    guilty, *innocent = [op.submit(batch(rows)) for rows in (1, 2, 3)]

    with pytest.raises(WorkerCrashed, match=f"worker {misbehave} must survive a batch of 1 rows; got "):
        guilty.result()
    assert [f.result().num_rows for f in innocent] == [2, 3]


@pytest.mark.ray
def test_a_crash_leaves_the_op_usable(workers: RayWorkers) -> None:
    """The next batch goes to the successor, which a later batch finds too."""
    op = workers.remote(DoubledSpec(misbehave="die", poison=3), "usable")
    with pytest.raises(WorkerCrashed):
        op(batch(4))

    assert op(batch(3)).num_rows == 3
    assert pid_of(op) == pid_of(op)


@pytest.mark.ray
def test_batches_behind_poison_are_run_however_often_it_dies(workers: RayWorkers) -> None:
    """Five deaths over other batches, more than max_restarts, and a batch that never began is not given up."""
    op = workers.remote(DoubledSpec(misbehave="die", poison=3), "behind")
    poison = [op.submit(batch(4)) for _ in range(5)]
    innocent = op.submit(batch(2))

    for future in poison:
        with pytest.raises(WorkerCrashed):
            future.result()

    assert innocent.result().column("y").to_pylist() == [0, 2]


@pytest.mark.ray
def test_gives_up_on_workers_that_die_at_their_start(workers: RayWorkers) -> None:
    """With max_restarts 2, three deaths in a row before any batch are WorkerDied (exit 75), and no batch is blamed."""
    op = workers.remote(DoubledSpec(build_fails="die"), "stillborn")

    with pytest.raises(WorkerDied, match="worker stillborn must live until it begins a batch; 3 died before") as caught:
        op(batch())

    assert not isinstance(caught.value, WorkerCrashed)


@pytest.mark.ray
def test_one_death_at_the_start_is_forgiven(workers: RayWorkers, tmp_path: Path) -> None:
    """The second start succeeds, and nobody hears of the first."""
    op = workers.remote(DoubledSpec(build_fails="die", once=str(tmp_path / "seen")), "late")

    assert op(batch(2)).num_rows == 2


@pytest.mark.parametrize(("fruitless", "seconds"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0)])
def test_pauses_between_starts_grow(fruitless: int, seconds: float) -> None:
    """No pause after a crash at work; half a second after a death at the start, doubled each time."""
    assert pause(fruitless) == seconds


@pytest.mark.ray
def test_memory_may_come_free_while_building(workers: RayWorkers, tmp_path: Path) -> None:
    """A first attempt without memory (a dead predecessor's, not free yet) is followed by a second."""
    op = workers.remote(DoubledSpec(build_fails="memory", once=str(tmp_path / "seen")), "patient")

    assert op(batch(2)).num_rows == 2


@pytest.mark.ray
def test_a_config_error_is_not_tried_again(workers: RayWorkers, started: Running) -> None:
    """The run is stopped at once: no actor is started again."""
    op = workers.remote(DoubledSpec(build_fails="missing"), "missing")
    before = started.restarts()

    with pytest.raises(ConfigError, match="worker missing must load"):
        op(batch())

    assert started.restarts() == before


@pytest.mark.ray
def test_restarts_are_counted(workers: RayWorkers, started: Running) -> None:
    """Six kills of an idle actor are six restarts, and no batch is lost or blamed."""
    op = workers.remote(DoubledSpec(), "killed_often")
    pid = pid_of(op)
    before = started.restarts()

    for _ in range(6):
        os.kill(pid, signal.SIGKILL)
        pid = pid_of(op)

    assert started.restarts() - before == 6


class Answer(NamedTuple):
    """What another process got: rows, or the class of the error."""

    rows: int
    error: str


def _submit(spec: WorkersSpec, op: DoubledSpec, name: str, rows: int, answers: multiprocessing.Queue[Answer]) -> None:
    try:
        answers.put(Answer(RayWorkers(spec).remote(op, name)(batch(rows)).num_rows, ""))
    except WorkerDied as error:
        answers.put(Answer(0, type(error).__name__))


def in_processes(spec: WorkersSpec, op: DoubledSpec, name: str, rows: list[int]) -> list[Answer]:
    """What processes get that ask at the same time, each for a batch of its own."""
    answers: multiprocessing.Queue[Answer] = SPAWN.Queue()
    processes: list[SpawnProcess] = [SPAWN.Process(target=_submit, args=(spec, op, name, n, answers)) for n in rows]
    for process in processes:
        process.start()
    got = [answers.get(timeout=90) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    return sorted(got)


@pytest.mark.ray
def test_processes_share_one_actor(started: Running, workers: RayWorkers) -> None:
    """Two processes that ask at the same moment are served by one actor, which outlives both."""
    before = started.restarts()

    assert [answer.rows for answer in in_processes(started.spec, DoubledSpec(), "shared", [1, 2])] == [1, 2]

    assert started.restarts() == before
    assert pid_of(workers.remote(DoubledSpec(), "shared"))
    assert started.restarts() == before


@pytest.mark.ray
def test_only_the_process_whose_batch_it_was_is_told(started: Running) -> None:
    """Three processes, one of which kills the actor: it alone is told, the others start one successor for all."""
    before = started.restarts()

    got = in_processes(started.spec, DoubledSpec(misbehave="die", poison=3, seconds=1.0), "poisoned", [1, 2, 4])

    assert got == [Answer(0, "WorkerCrashed"), Answer(1, ""), Answer(2, "")]
    assert started.restarts() - before == 1


@pytest.mark.ray
def test_replicas_share_the_work(started: Running) -> None:
    """Four batches under way go to both of two actors."""
    op = RayWorkers(started.spec.model_copy(update={"replicas": 2})).remote(DoubledSpec(seconds=0.05), "pair")
    op.load()

    futures = [op.submit(batch(1)) for _ in range(4)]

    assert len({f.result().column("pid")[0].as_py() for f in futures}) == 2


@pytest.mark.ray
@pytest.mark.parametrize(("load", "sent", "expected"), [(1, [1, 1], 1), (1, [WAKING_ROWS, 1], 2), (2, [1, 1], 2)])
def test_a_replica_is_started_where_there_is_enough_to_do(
    started: Running, load: int, sent: list[int], expected: int
) -> None:
    """Two small batches go to the one that was told to load; behind a large one, another is started."""
    spec = started.spec.model_copy(update={"replicas": 2})
    op = RayWorkers(spec).remote(DoubledSpec(seconds=0.5), f"lazy-{load}-{sent[0]}")
    op.load(load)

    futures = [op.submit(batch(rows)) for rows in sent]

    pids = [pid for future in futures for pid in future.result().column("pid").to_pylist()]
    assert len(set(pids)) == expected


@pytest.mark.ray
def test_a_replica_with_batches_waiting_is_not_left_alone(started: Running) -> None:
    """However few rows they have: pictures, say, of which each takes long."""
    op = RayWorkers(started.spec.model_copy(update={"replicas": 2})).remote(DoubledSpec(seconds=0.3), "behind")
    op.load(1)
    first = pid_of(op)

    futures = [op.submit(batch(1)) for _ in range(WAKING_BATCHES + 1)]

    pids = [future.result().column("pid")[0].as_py() for future in futures]
    assert pids[:WAKING_BATCHES] == [first] * WAKING_BATCHES
    assert pids[-1] != first


@pytest.mark.ray
def test_another_process_finds_the_replicas_that_live(started: Running) -> None:
    """And gives them work at once."""
    spec = started.spec.model_copy(update={"replicas": 2})
    RayWorkers(spec).remote(DoubledSpec(seconds=0.05), "found").load()
    op = RayWorkers(spec).remote(DoubledSpec(seconds=0.05), "found")

    futures = [op.submit(batch(1)) for _ in range(2)]

    assert len({future.result().column("pid")[0].as_py() for future in futures}) == 2


@pytest.mark.ray
def test_a_batch_of_many_bytes_survives_a_crash_of_its_actor(workers: RayWorkers) -> None:
    """Batches in Ray's object store (over 100 kB) are sent again as they were."""
    op = workers.remote(DoubledSpec(misbehave="die", poison=-1), "large")
    large = pa.RecordBatch.from_pydict({"x": pa.array(range(100_000), pa.int64())})
    with pytest.raises(WorkerCrashed):
        op(pa.RecordBatch.from_pydict({"x": pa.array([-1, *range(100_000)], pa.int64())}))

    assert op(large).column("y").to_pylist() == [2 * x for x in range(100_000)]
