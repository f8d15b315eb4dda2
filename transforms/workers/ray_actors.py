"""Ops in named Ray actors that all processes of a run share; the only file that imports Ray."""

from __future__ import annotations

import logging
import os
import platform
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import pyarrow as pa
import ray
from ray import exceptions as failures
from ray._private.authentication.authentication_utils import is_token_auth_enabled

from models.batch import BatchOp, OpSpec
from models.errors import ConfigError, MemoryExceeded, PermissionRefused, Problem, TemporaryError, WorkerDied
from transforms.workers.base import ReadsColumns, Running, WorkersSpec, run
from transforms.workers.wire import Changes, apply, changes, pack

LOG = logging.getLogger(__name__)

OWNER: Final = "owner"  # name of the actor that lives as long as the run's driver
OWNER_CHECK_SECONDS: Final = 15.0  # a killed driver's actors are gone from a shared cluster after about this long
PROBE_SECONDS: Final = 5.0  # a Ray that takes longer to accept a connection counts as away
ANSWER_SECONDS: Final = 5.0  # a live actor answers `overdue` at once; a stopped one never does
NODES_SECONDS: Final = 5.0  # how often a wait for an actor's start looks whether Ray is still there
STORE_BYTES: Final = 2 << 30  # the window in flight is bounded in bytes, far below this
STORE_SHARE: Final = 0.3  # of the machine's memory; Ray's own default
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")

DEATHS: Final = (
    failures.RayActorError,  # died, unavailable, restarting
    failures.WorkerCrashedError,
    failures.ObjectLostError,
    failures.GetTimeoutError,
)


class OpActor:
    """Holds one op and calls it, one batch after the other; `overdue` answers while a batch is worked on."""

    def __init__(self, spec: OpSpec, threads: int, namespace: str, outlived: bool) -> None:
        # Before the op's libraries are loaded: they read it once.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        self._spec = spec
        self._op: BatchOp | None = None
        self._since: float | None = None
        if outlived:
            threading.Thread(target=_live_with_owner, args=(namespace,), daemon=True).start()

    def build(self) -> None:
        """Build the op now; its errors come back to every caller."""
        if self._op is None:
            self._op = self._spec.build()

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The op's promise."""
        self.build()
        assert self._op is not None
        return self._op.output_schema(schema)

    def call(self, batch: pa.RecordBatch) -> Changes:
        """What the op does to the batch."""
        self.build()
        assert self._op is not None
        self._since = time.monotonic()
        try:
            return changes(batch, run(self._op, batch))
        finally:
            self._since = None

    def overdue(self, deadline: float) -> bool:
        """Whether the batch at work is at it for longer than `deadline` seconds."""
        since = self._since
        return since is not None and time.monotonic() - since > deadline


class Owner:
    """Belongs to the driver and dies with it, also when it is killed."""


# No CPUs are reserved: five encoders must also start on a machine with two cores.
REMOTE_OP: Final = ray.remote(concurrency_groups={"watch": 1}, num_cpus=0)(OpActor)
REMOTE_OWNER: Final = ray.remote(num_cpus=0)(Owner)


def _live_with_owner(namespace: str) -> None:
    """End this actor for good once the run's driver is gone."""
    while True:
        time.sleep(OWNER_CHECK_SECONDS)
        try:
            ray.get_actor(OWNER, namespace=namespace)
        except ValueError:  # Ray's answer for a name that nobody holds any more
            ray.kill(ray.get_runtime_context().current_actor, no_restart=True)


class Replica:
    """One named actor as this process sees it."""

    def __init__(self, spec: OpSpec, name: str, workers: WorkersSpec) -> None:
        self._spec = spec
        self._name = name
        self._workers = workers
        self.pending = 0
        """Batches that this process has submitted and not collected."""
        self.revive()

    def revive(self) -> None:
        """Get the actor by name, or create it; whichever process comes first creates it for all."""
        assert self._workers.namespace is not None
        self.actor = REMOTE_OP.options(
            name=self._name,
            namespace=self._workers.namespace,
            get_if_exists=True,
            lifetime="detached",  # it must outlive the Beam process that happened to create it
            max_restarts=self._workers.max_restarts,
            num_gpus=self._workers.gpus_per_actor,
        ).remote(self._spec, self._workers.threads, self._workers.namespace, self._workers.outlived)
        # Retried by Ray, so that it waits out a restart; bounded by the actor's own restarts.
        self.ready = self.actor.build.options(max_task_retries=-1).remote()

    def wait_ready(self) -> None:
        """Wait until the actor runs and its op is built; raises what building raised."""
        deadline = time.monotonic() + self._workers.startup
        while not ray.wait([self.ready], timeout=NODES_SECONDS)[0]:
            check_nodes()
            if time.monotonic() > deadline:
                self.replace()
                raise failures.GetTimeoutError(f"did not start within {self._workers.startup:g} s")
        ray.get(self.ready)

    def wait(self, ref: ray.ObjectRef) -> None:
        """Wait until `ref` is done or failed; a hung actor is replaced, which fails it."""
        while not ray.wait([ref], timeout=self._workers.deadline)[0]:
            if self._hung():
                LOG.warning("%s did not finish a batch in %g s and is replaced", self._name, self._workers.deadline)
                self.replace()
                return

    def _hung(self) -> bool:
        try:
            overdue = self.actor.overdue.options(concurrency_group="watch")
            return bool(ray.get(overdue.remote(self._workers.deadline), timeout=ANSWER_SECONDS))
        except failures.GetTimeoutError:
            return True
        except failures.RayActorError:
            return False  # it is being restarted: the batch fails by itself

    def replace(self) -> None:
        """Kill the actor; Ray starts it again."""
        ray.kill(self.actor, no_restart=False)


def check_nodes() -> None:
    """Check that Ray still has a machine to run on: it would wait for one without end.

    Raises:
        WorkerDied: every node is dead.
    """
    if not any(node["Alive"] for node in ray.nodes()):
        raise WorkerDied("Ray must have a live node; got none: its raylet was killed, or its machine is gone")


class RayFuture:
    """A batch on its way; submitted again, a bounded number of times, when its worker dies."""

    def __init__(self, op: RayOp, batch: pa.RecordBatch) -> None:
        self._op = op
        self._batch = batch
        self._changes: Changes | None = None
        self._submit()

    def _submit(self) -> None:
        self._replica = self._op.least_loaded()
        self._replica.pending += 1
        self._ref = self._replica.actor.call.remote(self._op.pack(self._batch))

    def result(self) -> pa.RecordBatch:
        """The batch as the op left it; see `Future`."""
        if self._changes is None:
            self._changes = self._collect()
        return apply(self._batch, self._changes)

    def _collect(self) -> Changes:
        deaths = 0
        while True:
            try:
                return self._attempt()
            except DEATHS as death:
                deaths += 1
                if deaths > self._op.workers.max_restarts:
                    raise WorkerDied(_died(self._op.name, deaths, self._batch, death)) from death
            self._op.deaths += 1
            self._replica.revive()
            self._submit()

    def _attempt(self) -> Changes:
        try:
            change: Changes = fetch(self._get)
            return change
        finally:
            self._replica.pending -= 1

    def _get(self) -> Any:
        self._replica.wait_ready()
        self._replica.wait(self._ref)
        return ray.get(self._ref)


def _died(name: str, deaths: int, batch: pa.RecordBatch, death: Exception) -> str:
    reason = str(death).strip().splitlines()[0] if str(death).strip() else type(death).__name__
    return f"worker {name} must survive a batch of {batch.num_rows} rows; died {deaths} times, at last: {reason}"


def fetch(get: Callable[[], Any]) -> Any:
    """`get()`, with Ray's errors as ours; those in DEATHS pass, because trying again may help.

    Raises:
        Exception: what the op raised, as the op raised it.
        MemoryExceeded: Ray had no memory for the batch or its result.
        WorkerDied: Ray itself is gone.
    """
    try:
        return get()
    except failures.RayTaskError as error:
        raise error.cause from None  # the op's own error; its worker's traceback adds nothing for a user
    except (failures.OutOfMemoryError, failures.ObjectStoreFullError) as error:
        raise MemoryExceeded(f"a batch must fit into Ray's memory; got {error}") from error
    except DEATHS:
        raise
    except (failures.RayError, ConnectionError) as error:
        raise WorkerDied(f"Ray must be reachable; got {error}") from error


class RayOp:
    """An op that runs in its replicas."""

    def __init__(self, spec: OpSpec, name: str, workers: WorkersSpec) -> None:
        self.name = name
        self.workers = workers
        self.deaths = 0
        """Batches that had to be run again because their worker died, as seen by this process."""
        self._reads = tuple(spec.reads()) if isinstance(spec, ReadsColumns) else None
        count = 1 if workers.replicas == "auto" else workers.replicas
        prefix = f"{name}/{spec.fingerprint()[:12]}"
        self._replicas = [Replica(spec, f"{prefix}/{i}", workers) for i in range(count)]
        self._turn = os.getpid()  # processes start with different replicas

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The op's promise, asked from the actor that holds it."""

        def ask() -> pa.Schema:
            replica = self._replicas[0]
            replica.wait_ready()
            return ray.get(replica.actor.output_schema.remote(schema), timeout=self.workers.startup)

        try:
            return fetch(ask)
        except DEATHS as death:
            raise WorkerDied(f"worker {self.name} must answer; got {death}") from death

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The op's result, waited for."""
        return self.submit(batch).result()

    def submit(self, batch: pa.RecordBatch) -> RayFuture:
        """Send the batch to the replica with the fewest batches from this process."""
        return RayFuture(self, batch)

    def least_loaded(self) -> Replica:
        """The replica with the fewest batches under way, taking turns among equals."""
        self._turn += 1
        turns = self._replicas[self._turn % len(self._replicas) :] + self._replicas
        return min(turns[: len(self._replicas)], key=lambda replica: replica.pending)

    def pack(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What of the batch travels."""
        return pack(batch, self._reads)


class RayWorkers:
    """This process's door to the run's actors; connects when the first op is asked for."""

    _connecting: Final = threading.Lock()

    def __init__(self, spec: WorkersSpec) -> None:
        self._spec = spec
        self._ops: dict[tuple[str, str], RayOp] = {}

    def remote(self, spec: OpSpec, name: str) -> RayOp:
        """The op under this name; its actors start building at once, without waiting for them."""
        with self._connecting:  # threads of one Beam process share one connection
            if not ray.is_initialized():
                _connect(self._spec)
        key = (name, spec.fingerprint())
        if key not in self._ops:
            self._ops[key] = RayOp(spec, name, self._spec)
        return self._ops[key]

    def close(self) -> None:
        """Forget the handles; the connection stays for the process's next user, the actors for the run's."""
        self._ops.clear()


@contextmanager
def start(spec: WorkersSpec, ops: int) -> Iterator[Running]:
    """Start Ray here (`local`) or connect to one; on exit the run's actors are gone, and a local Ray too.

    Raises:
        ConfigError: versions differ, or fewer GPUs than configured.
        TemporaryError: no Ray answers.
        PermissionRefused: the cluster refused this user's token.
    """
    namespace = f"amalgam-{uuid.uuid4().hex[:12]}"
    spec = spec.model_copy(update={"namespace": namespace})
    _connect(spec)
    try:
        resources = ray.cluster_resources()
        resolved = _resolve(spec, resources, ops)
        _warn_if_open(spec.address)
        # Held until the end: the actor lives as long as this handle's process.
        owner = REMOTE_OWNER.options(name=OWNER, namespace=namespace).remote() if resolved.outlived else None
        yield Running(resolved, _found(resources, spec.address))
        del owner
    finally:
        _stop(namespace)


def _connect(spec: WorkersSpec) -> None:
    """Connect this process to the Ray of the spec, or start it."""
    target = {"address": spec.address, **(_own_ray() if spec.address == "local" else {})}
    _probe(spec.address)
    on_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    logging.getLogger("ray").setLevel(logging.ERROR)  # its start-up warnings are not for users; failures are raised
    try:
        ray.init(namespace=spec.namespace, log_to_driver=False, configure_logging=False, **target)
    except failures.AuthenticationError as error:
        raise PermissionRefused(f"workers.address: Ray at {spec.address} refused this user's token: {error}") from error
    except (ConnectionError, TimeoutError) as error:
        hint = "" if is_token_auth_enabled() else "; if it asks for a token, set RAY_AUTH_MODE=token"
        raise TemporaryError(f"workers.address: a Ray must run at {spec.address}; got {error}{hint}") from error
    except RuntimeError as error:
        if "ersion mismatch" not in str(error):
            raise
        raise ConfigError([Problem("workers.address", f"Ray and Python must be the cluster's own; {error}")]) from error
    finally:
        if on_main:
            signal.signal(signal.SIGTERM, handler)  # ray.init puts its own in the way


def _own_ray() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"include_dashboard": False, "object_store_memory": min(STORE_BYTES, int(STORE_SHARE * memory))}


def _probe(address: str) -> None:
    """Check that something listens at host:port: Ray itself would try for 30 s or more."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    if ":" not in address:
        return
    host, port = address.removeprefix("ray://").rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=PROBE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise TemporaryError(f"workers.address: a Ray must run at {address}; got {error}") from error


def _resolve(spec: WorkersSpec, resources: Mapping[str, float], ops: int) -> WorkersSpec:
    """The spec as the run's processes need it: real address, number of actors, their share of the GPUs."""
    found = resources.get("GPU", 0.0)
    gpus = found if spec.gpus is None else spec.gpus
    if gpus > found:
        raise ConfigError([Problem("workers.gpus", f"must be at most the {found:g} that Ray has; got {gpus:g}")])
    replicas = max(1, int(gpus)) if spec.replicas == "auto" else spec.replicas
    address = spec.address if "://" in spec.address else ray.get_runtime_context().gcs_address
    return spec.model_copy(
        update={
            "address": address,
            "replicas": replicas,
            "gpus_per_actor": share_of(gpus, ops * replicas),
            "outlived": spec.address != "local",
            "token": is_token_auth_enabled(),
        }
    )


def share_of(gpus: float, actors: int) -> float:
    """GPUs for each of `actors`: whole ones, or a fraction of one rounded down to Ray's four decimals."""
    share = gpus / actors
    return float(int(share)) if share >= 1 else int(share * 10_000) / 10_000


def _found(resources: Mapping[str, float], address: str) -> str:
    gib = resources.get("object_store_memory", 0.0) / 2**30
    return (
        f"{address}: Ray {ray.__version__}, Python {platform.python_version()}, "
        f"{resources.get('CPU', 0):g} CPUs, {resources.get('GPU', 0):g} GPUs, object store {gib:.1f} GiB"
    )


def _warn_if_open(address: str) -> None:
    """Warn of a cluster that takes orders from anybody on its network."""
    host = address.removeprefix("ray://").rsplit(":", 1)[0]
    if ":" in address and host not in LOOPBACK and not is_token_auth_enabled():
        LOG.warning("workers.address: %s is reached without a token; set RAY_AUTH_MODE=token on the cluster", address)


def _stop(namespace: str) -> None:
    """Stop the run's actors, then this process's connection, and Ray itself if this process started it."""
    try:
        for entry in ray.util.list_named_actors(all_namespaces=True):
            if entry["namespace"] == namespace:
                with suppress(ValueError):  # it ended by itself in the meantime
                    ray.kill(ray.get_actor(entry["name"], namespace=namespace))
    except (failures.RayError, ConnectionError) as error:
        LOG.warning("Ray went away before the run's actors were stopped: %s", error)
    finally:
        ray.shutdown()
