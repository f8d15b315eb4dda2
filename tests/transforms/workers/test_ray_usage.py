"""What Ray's actors did is known to the driver, also of actors that died, and they run as planned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

import pyarrow as pa
import pytest

from models.batch import BatchOp, OpSpec
from models.errors import WorkerCrashed
from tests.transforms.workers.ops import DoubledSpec, batch
from transforms.workers.base import Running, Usage, WorkersSpec
from transforms.workers.layout import Plan
from transforms.workers.ray_actors import Witness
from transforms.workers.ray_ops import RayWorkers

PATIENCE = 20.0  # for a word that is on its way to the witness; 1 ms when nothing else runs


def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


class ThreadsSpec(OpSpec):
    """Tells how many threads its process was given."""

    kind: ClassVar[str] = "threads"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """With the number as a column."""
        return schema.append(pa.field("threads", pa.string()))

    def build(self) -> BatchOp:
        """The op."""
        return Threads(self)


class Threads:
    def __init__(self, spec: ThreadsSpec) -> None:
        self.output_schema = spec.output_schema

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        import os

        told = ",".join(os.environ[name] for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"))
        return batch.append_column("threads", pa.array([told] * batch.num_rows))


def test_the_witness_adds_up_by_op() -> None:
    """The last word of each actor counts, whether it lives or not."""
    witness = Witness()
    witness.used("first", "photo", Usage(batches=1, rows=5))
    witness.used("first", "photo", Usage(batches=2, rows=9))
    witness.died("first", "token")
    witness.used("second", "photo", Usage(batches=1, rows=1))
    witness.used("third", "review", Usage(batches=1, rows=7))

    assert witness.accounts() == (0, {"photo": Usage(batches=3, rows=10), "review": Usage(batches=1, rows=7)})


@pytest.mark.ray
def test_actors_run_as_planned_and_their_work_is_known() -> None:
    """Threads as planned, two replicas, every batch accounted; also of an actor that died, and when Ray is gone."""
    plans = {"threads": Plan(threads=3), "pair": Plan(replicas=2)}
    with WorkersSpec().start() as running:
        workers = RayWorkers(running.spec.model_copy(update={"plans": plans}))
        told = workers.remote(ThreadsSpec(), "threads")(batch(1)).column("threads")[0].as_py()
        pair = workers.remote(DoubledSpec(seconds=0.05), "pair")
        pair.load()
        pids = {future.result().column("pid")[0].as_py() for future in [pair.submit(batch(2)) for _ in range(4)]}
        large = pair(batch(1024))
        deadly = workers.remote(DoubledSpec(misbehave="die", poison=3), "deadly")
        deadly(batch(3))
        until(lambda: "deadly" in running.usage())
        with pytest.raises(WorkerCrashed):
            deadly(batch(4))
        deadly(batch(1))
        until(lambda: rows_of(running) == {"threads": 1, "pair": 1032, "deadly": 4})

    assert told == "3,3"
    assert len(pids) == 2
    assert (large.num_rows, set(large.column("pid").to_pylist())) == (1024, pids)  # a half to each
    assert large.column("y").to_pylist() == [2 * x for x in range(1024)]
    assert rows_of(running) == {"threads": 1, "pair": 1032, "deadly": 4}  # 3 + 1: the batch at which it died is lost
    assert running.usage()["pair"].busy >= 0.3  # six times 50 ms


def rows_of(running: Running) -> dict[str, int]:
    """Rows by op."""
    return {name: usage.rows for name, usage in running.usage().items()}
