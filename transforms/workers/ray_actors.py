"""What runs inside Ray: actors that hold an op each, and the witness that remembers what they were at."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Final, NamedTuple

import pyarrow as pa
import ray
from ray import exceptions as failures

from models.batch import BatchOp, OpSpec
from models.errors import WorkerDied
from transforms.workers.base import Usage, WorkersSpec, built, run
from transforms.workers.fitting import fitted
from transforms.workers.sharing import visible_gpu
from transforms.workers.tally import Tally, use_gpu_memory, use_threads
from transforms.workers.wire import Changes, changes

LOG = logging.getLogger(__name__)

WITNESS: Final = "witness"  # its name in the run's namespace
OWNER_CHECK_SECONDS: Final = 15.0  # a killed driver's actors are gone from a shared cluster after about this long
FIRST_WORD_SECONDS: Final = 60.0  # the witness may still be starting, beside all other actors
WORD_SECONDS: Final = 10.0  # it answers within 1 ms; without it a batch goes on all the same
BUILD_ATTEMPTS: Final = 3  # while there is no memory to build the op in
THREAD_POOLS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
"""Of torch, numpy, and tokenizers (Rayon), which would take every core of the machine."""


class Death(NamedTuple):
    """What the witness knows of the death of an actor."""

    at_work: bool
    """Whether it had begun the batch that is asked about, and no other since."""
    fruitless: bool
    """Whether it died before it had begun any batch."""
    deaths: int
    """Actors that died in this run so far."""


class Witness:
    """Remembers which batch each actor began last: after a death it tells the one at work from those that stood behind.

    Belongs to the run's driver and dies with it, also when that is killed.
    """

    def __init__(self) -> None:
        self._starts: Counter[str] = Counter()
        self._begun: dict[str, str] = {}
        self._dead: set[str] = set()
        self._used: dict[str, tuple[str, Usage]] = {}

    def started(self, replica: str) -> None:
        """An actor of this name has started."""
        self._starts[replica] += 1

    def begin(self, actor: str, token: str) -> None:
        """The actor begins the batch that was submitted under this token."""
        self._begun[actor] = token

    def died(self, actor: str, token: str) -> Death:
        """The actor is dead, and with it the batch of this token; each process that had sent it one says so."""
        self._dead.add(actor)
        begun = self._begun.get(actor)
        return Death(begun == token, begun is None, len(self._dead))

    def used(self, actor: str, op: str, usage: Usage) -> None:
        """What the actor of this op did so far, all in all: its last word stands when it dies."""
        self._used[actor] = (op, usage)

    def accounts(self) -> tuple[int, dict[str, Usage]]:
        """Starts beyond the first under the same name, and what the actors of each op did."""
        found: dict[str, Usage] = {}
        for op, usage in self._used.values():
            found[op] = found.get(op, Usage()).plus(usage)
        return self._starts.total() - len(self._starts), found


class OpActor:
    """Holds one op and calls it, one batch after the other; `overdue` answers while a batch is worked on."""

    def __init__(self, spec: OpSpec, name: str, replica: str, workers: WorkersSpec) -> None:
        plan = workers.plan(name)
        for pool in THREAD_POOLS:  # before the op's libraries are loaded: they read it once
            os.environ[pool] = str(plan.threads)
        if plan.first_gpu is not None:
            number = plan.first_gpu + int(replica.rpartition("/")[2])
            visible = os.environ.get("CUDA_VISIBLE_DEVICES")
            os.environ["CUDA_VISIBLE_DEVICES"] = visible_gpu(number, visible, workers.own_gpus)
        self._spec = fitted(spec, plan)
        self._plan = plan
        self._name = name
        self._tally = Tally()
        self._op: BatchOp | None = None
        self._workers = workers
        self._late: float | None = None
        self._failure: WorkerDied | None = None
        self._id = ray.get_runtime_context().get_actor_id()
        assert workers.namespace is not None
        self._witness = _find_witness(workers.namespace)
        self._tell("started", replica, seconds=FIRST_WORD_SECONDS)
        if workers.outlived:
            threading.Thread(target=_live_with_witness, args=(workers.namespace,), daemon=True).start()

    def build(self) -> None:
        """Build the op now; its errors come back to every caller."""
        if self._op is None:
            self._op = built(self._spec, self._name, attempts=BUILD_ATTEMPTS)
            use_threads(self._plan.threads)
            use_gpu_memory(self._plan.memory_share)

    def call(self, token: str, batch: pa.RecordBatch) -> Changes:
        """What the op does to the batch.

        Raises:
            WorkerDied: the device failed, at this batch or at one before: none is begun after that.
        """
        self.build()
        assert self._op is not None
        if self._failure is not None:
            raise self._failure
        self._tell("begin", self._id, token, seconds=WORD_SECONDS)
        self._late = time.monotonic() + self._workers.patience(batch.num_rows)
        try:
            with self._tally.batch(self._op, batch.num_rows):
                return changes(batch, run(self._op, batch))
        except WorkerDied as error:
            self._failure = error
            raise
        finally:
            self._late = None
            self._account()

    def overdue(self) -> bool:
        """Whether the batch at work is at it for longer than it may be."""
        late = self._late
        return late is not None and time.monotonic() > late

    def _account(self) -> None:
        """Send the witness the account so far, without waiting: it is told again after the next batch."""
        if self._witness is not None:
            self._witness.used.remote(self._id, self._name, self._tally.total)

    def _tell(self, word: str, *arguments: str, seconds: float) -> None:
        """Tell the witness and wait until it knows; one that does not answer is not told any more."""
        if self._witness is None:
            return
        try:
            ray.get(getattr(self._witness, word).remote(*arguments), timeout=seconds)
        except failures.GetTimeoutError:
            LOG.warning("%s goes on without a witness: it did not answer within %g s", self._name, seconds)
            self._witness = None
        except failures.RayError as error:  # it is being started again, or is dead: then each telling fails at once
            LOG.warning("%s goes on without a witness for now: %s", self._name, error)


# No CPUs are reserved: five encoders must also start on a machine with two cores. No restarts by Ray: the processes
# that use an actor start its successor, since Ray's count is one for the whole run.
REMOTE_OP: Final = ray.remote(concurrency_groups={"watch": 1}, num_cpus=0, max_restarts=0)(OpActor)
# The witness's state is lost with it: batches that were begun before count as never begun.
REMOTE_WITNESS: Final = ray.remote(num_cpus=0, max_restarts=3)(Witness)


def _find_witness(namespace: str) -> Any:
    try:
        return ray.get_actor(WITNESS, namespace=namespace)
    except ValueError:  # Ray's answer for a name that nobody holds any more
        return None


def _live_with_witness(namespace: str) -> None:
    """End this actor for good once the run's driver, and so its witness, is gone."""
    alive = True
    while alive:
        time.sleep(OWNER_CHECK_SECONDS)
        with suppress(failures.RayError):  # the head is away for the moment
            alive = _find_witness(namespace) is not None
    ray.kill(ray.get_runtime_context().current_actor, no_restart=True)
