"""Ops in named Ray actors that all processes of a run share, as one of these processes uses them."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import ray
from ray import exceptions as failures

from models.arrow import Int64
from models.batch import OpSpec
from models.errors import MemoryExceeded, WorkerCrashed, WorkerDied
from transforms.workers.base import DEADLINE_ROWS, ReadsColumns, WorkersSpec
from transforms.workers.ray_actors import REMOTE_OP, WITNESS, WORD_SECONDS, Death
from transforms.workers.ray_head import DEATHS, LOOK_SECONDS, Head, asked, fetched
from transforms.workers.ray_start import connect
from transforms.workers.shares import part, shares
from transforms.workers.wire import Changes, apply, pack

LOG = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 5.0  # a live actor answers at once what needs no work; a stopped one never does
RESULT_SECONDS: Final = 60.0  # a result that is ready is here within a second, or lost with its machine
DYING_SECONDS: Final = 30.0  # a killed actor's name is free within a second; its process may take longer to go
NAME_SECONDS: Final = 0.1  # between looks at a name
FIRST_PAUSE: Final = 0.5  # before the successor of an actor that died at its start; doubled with each

# A replica that is not needed yet is started for so many rows: loading torch, transformers and a small language model
# takes some 7 s of a core, encoding 256 texts with it 5 s. Or when every other has batches waiting behind its own.
WAKING_ROWS: Final = 256
WAKING_BATCHES: Final = 2

# What is taken for granted when the witness is gone: no batch is to blame, and all deaths in a row count.
UNWITNESSED: Final = Death(at_work=False, fruitless=True, deaths=0)


class Life(NamedTuple):
    """One actor under a replica's name, from its start to its death."""

    actor: Any
    """Ray's handle."""
    ready: ray.ObjectRef
    """Done when the op is built."""
    id: str
    """Told apart by this from the lives before and after it."""


class Sent(NamedTuple):
    """A batch under way."""

    replica: Replica
    life: Life
    token: str
    """Names this submission to the witness."""
    rows: int
    ref: ray.ObjectRef


class Replica:
    """One named actor, and its successors, as this process sees them."""

    def __init__(self, spec: OpSpec, op: str, name: str, workers: WorkersSpec, head: Head) -> None:
        self._spec = spec
        self._op = op
        self._name = name
        self._workers = workers
        self._head = head
        self.batches, self.rows = 0, 0
        """Submitted by this process and not collected."""
        self._life: Life | None = None
        with suppress(ValueError):  # nobody has started it yet
            self._life = self._lived(asked(lambda: ray.get_actor(name, namespace=workers.namespace)))

    @property
    def awake(self) -> bool:
        """Whether this process knows of its actor."""
        return self._life is not None

    def wake(self) -> Life:
        """The actor of now, which begins to load its op when it is new.

        Raises:
            WorkerDied: Ray's head does not answer.
        """
        if self._life is None:
            self._life = self._living("")
        return self._life

    def _living(self, dead: str) -> Life:
        """The actor under this name that is not `dead`, the id of one whose name may not be free yet.

        Raises:
            WorkerDied: the name does not become free, or Ray's head does not answer.
        """
        deadline = time.monotonic() + DYING_SECONDS
        while time.monotonic() < deadline:
            with suppress(ValueError):  # the name was taken by an actor that was gone a moment later
                life = self._join()
                if life.id != dead:
                    return life
            time.sleep(NAME_SECONDS)
        raise WorkerDied(f"the killed worker {self._name} must be gone within {DYING_SECONDS:g} s; got it still alive")

    def _join(self) -> Life:
        """Get the living actor by name, or create it; whichever process comes first creates it for all."""
        actor = asked(
            lambda: REMOTE_OP.options(
                name=self._name,
                namespace=self._workers.namespace,
                get_if_exists=True,
                lifetime="detached",  # it must outlive the Beam process that happened to create it
                num_gpus=self._workers.gpus_of(self._op),
            ).remote(self._spec, self._op, self._name, self._workers)
        )
        return self._lived(actor)

    def _lived(self, actor: Any) -> Life:
        return Life(actor, actor.build.remote(), actor._actor_id.hex())

    def send(self, token: str, batch: pa.RecordBatch) -> Sent:
        """Submit a batch to the actor of now."""
        life = self.wake()
        sent = Sent(self, life, token, batch.num_rows, life.actor.call.remote(token, batch))
        self.batches += 1
        self.rows += sent.rows
        return sent

    def collect(self, sent: Sent) -> Any:
        """Wait for a batch's result, or for a sign that it will not come."""
        try:
            self._head.check()
            self.wait_ready(sent.life)
            self._wait(sent)
            return ray.get(sent.ref, timeout=RESULT_SECONDS)
        finally:
            self.batches -= 1
            self.rows -= sent.rows

    def ready(self) -> bool:
        """Whether its actor has built the op."""
        return self._life is not None and bool(ray.wait([self._life.ready], timeout=0)[0])

    def wait_ready(self, life: Life) -> None:
        """Wait until the actor runs and its op is built; raises what building raised."""
        deadline = time.monotonic() + self._workers.startup
        while not ray.wait([life.ready], timeout=LOOK_SECONDS)[0]:
            self._head.check_nodes()
            if time.monotonic() > deadline:
                raise failures.GetTimeoutError(f"it did not start within {self._workers.startup:g} s")
        ray.get(life.ready, timeout=RESULT_SECONDS)

    def _wait(self, sent: Sent) -> None:
        deadline = time.monotonic() + self._workers.deadline
        while not ray.wait([sent.ref], timeout=min(LOOK_SECONDS, self._workers.deadline))[0]:
            if time.monotonic() >= deadline and self._hung(sent.life):
                limit = f"{self._workers.deadline:g} s (workers.deadline, for {DEADLINE_ROWS} rows)"
                LOG.warning("%s did not finish a batch within %s and is replaced", self._name, limit)
                raise failures.GetTimeoutError(f"it did not finish within {limit}")
            self._head.check()

    def _hung(self, life: Life) -> bool:
        """Whether the actor is at its present batch for too long; the time in its queue does not count."""
        try:
            overdue = life.actor.overdue.options(concurrency_group="watch")
            return bool(ray.get(overdue.remote(), timeout=ANSWER_SECONDS))
        except failures.GetTimeoutError:
            return True
        except failures.RayActorError:
            return False  # it is dead: the batch fails by itself

    def succeed(self, dead: Life) -> None:
        """Make sure that an actor is gone, and let its successor take its place, whoever starts that.

        Raises:
            WorkerDied: its name does not become free, or Ray's head does not answer.
        """
        if self._life is not None and self._life.id == dead.id:  # else another batch of this process saw to that
            asked(lambda: ray.kill(dead.actor, no_restart=True))  # it may have hung, or only be out of reach
            self._life = self._living(dead.id)


class Testimony:
    """What this process learns from the run's witness."""

    def __init__(self, namespace: str) -> None:
        with suppress(ValueError):  # none there: then no batch is known to be to blame
            self._witness = asked(lambda: ray.get_actor(WITNESS, namespace=namespace))

    def death(self, sent: Sent) -> Death:
        """Tell of a batch's death, and hear what the actor was at."""
        try:
            known: Death = ray.get(self._witness.died.remote(sent.life.id, sent.token), timeout=WORD_SECONDS)
            return known
        except (failures.RayError, AttributeError) as error:
            LOG.warning("a worker died without a witness: %s", reason(error))
            return UNWITNESSED


class RayFuture:
    """A batch on its way; submitted again when its worker dies before it has begun the batch."""

    def __init__(self, op: RayOp, batch: pa.RecordBatch) -> None:
        self._op = op
        self._batch = batch
        self._changes: Changes | None = None
        self._sent = self._send()

    def _send(self) -> Sent | MemoryExceeded:
        """Submit the batch; what is wrong with it is raised where its result is asked for."""
        try:
            sent: Sent = fetched(lambda: self._op.send(self._batch))
        except MemoryExceeded as error:
            return error
        return sent

    def result(self) -> pa.RecordBatch:
        """The batch as the op left it; see `Future`."""
        return apply(self._batch, self.changes())

    def changes(self) -> Changes:
        """What the op did to the batch; raises as `result` does."""
        if self._changes is None:
            self._changes = self._collect()
        return self._changes

    def _collect(self) -> Changes:
        fruitless = 0
        while True:
            if isinstance(self._sent, MemoryExceeded):
                raise self._sent
            sent = self._sent
            try:
                change: Changes = fetched(partial(sent.replica.collect, sent))
                return change
            except DEATHS as death:
                known = self._op.testimony.death(sent)
                fruitless = fruitless + 1 if known.fruitless else 0
                self._give_up_on(death, known, fruitless)
                time.sleep(pause(fruitless))
                sent.replica.succeed(sent.life)
                if known.at_work:
                    raise self._crash(death) from death
            self._sent = self._send()

    def _give_up_on(self, death: Exception, known: Death, fruitless: int) -> None:
        workers, name = self._op.workers, self._op.name
        if fruitless > workers.max_restarts:
            message = f"worker {name} must live until it begins a batch; {fruitless} died before, the last of: "
            raise WorkerDied(message + reason(death)) from death
        if known.deaths > workers.max_crashes:
            message = f"at most {workers.max_crashes} workers may die in a run (workers.max_crashes); got one more, "
            raise WorkerDied(f"{message}{name}, of: {reason(death)}") from death

    def _crash(self, death: Exception) -> WorkerCrashed | MemoryExceeded:
        kind = MemoryExceeded if isinstance(death, failures.OutOfMemoryError) else WorkerCrashed
        return kind(f"worker {self._op.name} must survive a batch of {self._batch.num_rows} rows; got {reason(death)}")


class Pieces:
    """A batch that is shared among replicas; what goes wrong with a piece is the batch's failure.

    Args:
        batch: all rows.
        shares: the row numbers of each piece; together every row once.
        pieces: the pieces under way.
    """

    def __init__(self, batch: pa.RecordBatch, shares: Sequence[Int64], pieces: Sequence[RayFuture]) -> None:
        self._batch = batch
        self._order = np.concatenate(shares)
        self._pieces = pieces

    def result(self) -> pa.RecordBatch:
        """The batch as the op left it; see `Future`."""
        done = [_outcome(piece) for piece in self._pieces]  # all of them: none is left under way
        for outcome in done:
            if isinstance(outcome, Exception):
                raise outcome
        changes = [outcome for outcome in done if isinstance(outcome, Changes)]
        columns = pa.concat_batches([change.columns for change in changes])
        columns = columns.take(pa.array(np.argsort(self._order, kind="stable")))
        return apply(self._batch, Changes(columns, changes[0].dropped))


def _outcome(piece: RayFuture) -> Changes | Exception:
    try:
        return piece.changes()
    except Exception as error:  # noqa: BLE001  (whatever the op raised is raised when the other pieces are collected)
        return error


def pause(fruitless: int) -> float:
    """Seconds before the next start: none after a crash at work, doubled with each death at the start."""
    return FIRST_PAUSE * 2 ** (fruitless - 1) if fruitless else 0.0


def reason(death: Exception) -> str:
    """What Ray says of a death, in one line."""
    lines = str(death).strip().splitlines()
    return lines[0] if lines else type(death).__name__


class RayOp:
    """An op that runs in its replicas."""

    def __init__(self, spec: OpSpec, name: str, workers: WorkersSpec, head: Head, testimony: Testimony) -> None:
        self.name = name
        self.workers = workers
        self.testimony = testimony
        self._spec = spec
        self._reads = tuple(spec.reads()) if isinstance(spec, ReadsColumns) else None
        count = workers.plan(name).replicas
        prefix = f"{name}/{spec.fingerprint()[:12]}"
        self._replicas = [Replica(spec, name, f"{prefix}/{i}", workers, head) for i in range(count)]
        self._turn = os.getpid()  # processes start with different replicas

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The op's promise; asks no actor for it."""
        return self._spec.output_schema(schema)

    def load(self, replicas: int | None = None) -> None:
        """Let this many replicas load the op now, all of them when None; see `RemoteOp`."""
        for replica in self._replicas[:replicas]:
            replica.wake()

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The op's result, waited for."""
        return self.submit(batch).result()

    def submit(self, batch: pa.RecordBatch) -> RayFuture | Pieces:
        """Send the batch to the replica with the fewest batches from this process; a large one to several of them.

        Else the last batch of a unit, and each one where the window holds no other, would leave the others idle.
        """
        read = batch if self._reads is None else batch.select(self._reads)
        among = shares(read, len(self._useful(batch.num_rows)))
        if len(among) == 1:
            return RayFuture(self, batch)
        return Pieces(batch, among, [RayFuture(self, part(batch, rows)) for rows in among])

    def send(self, batch: pa.RecordBatch) -> Sent:
        """The same, once: what of the batch travels is on its way under a token of its own."""
        return self._least_loaded().send(uuid.uuid4().hex, pack(batch, self._reads))

    def _least_loaded(self) -> Replica:
        """The replica with the fewest rows under way, taking turns among equals."""
        self._turn += 1
        useful = self._useful()
        return min(useful[self._turn % len(useful) :] + useful, key=lambda replica: replica.rows)

    def _useful(self, rows: int = 0) -> list[Replica]:
        """The replicas that live, and as many others as are worth their start, when so many rows more are sent."""
        awake = [replica for replica in self._replicas if replica.awake]
        asleep = [replica for replica in self._replicas if not replica.awake]
        wanted = 1 + (rows + sum(replica.rows for replica in awake)) // WAKING_ROWS
        if all(replica.batches >= WAKING_BATCHES and replica.ready() for replica in awake):
            wanted = max(wanted, len(awake) + 1)
        return awake + asleep[: max(0, wanted - len(awake))]


class RayWorkers:
    """This process's door to the run's actors; connects when the first op is asked for."""

    _connecting: Final = threading.Lock()

    def __init__(self, spec: WorkersSpec) -> None:
        self._spec = spec
        self._head = Head(spec.address)
        self._testimony: Testimony | None = None
        self._ops: dict[tuple[str, str], RayOp] = {}

    def remote(self, spec: OpSpec, name: str) -> RayOp:
        """The op under this name; its actors start building at once, without waiting for them."""
        assert self._spec.namespace is not None
        with self._connecting:  # threads of one Beam process share one connection
            if not ray.is_initialized():
                connect(self._spec)
            self._testimony = self._testimony or Testimony(self._spec.namespace)
        key = (name, spec.fingerprint())
        if key not in self._ops:
            self._ops[key] = RayOp(spec, name, self._spec, self._head, self._testimony)
        return self._ops[key]

    def close(self) -> None:
        """Forget the handles; the connection stays for the process's next user, the actors for the run's."""
        self._ops.clear()
