"""Starts Ray for a run, or finds one; and lets go of it at the end, whatever has become of it."""

from __future__ import annotations

import atexit
import logging
import os
import platform
import signal
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import ray
from ray import exceptions as failures
from ray._private.accelerators import get_accelerator_manager_for_resource
from ray._private.authentication.authentication_utils import is_token_auth_enabled

from models.batch import OpSpec
from models.errors import ConfigError, PermissionRefused, Problem, TemporaryError, WorkerDied
from transforms.workers import tuning
from transforms.workers.base import Running, Usage, WorkersSpec
from transforms.workers.family import Member, descendants, end
from transforms.workers.layout import Plan
from transforms.workers.ray_actors import REMOTE_WITNESS, WITNESS
from transforms.workers.ray_head import PROBE_SECONDS, Head, asked, bounded
from transforms.workers.sharing import arrange, share_of

LOG = logging.getLogger(__name__)

STORE_BYTES: Final = 2 << 30  # the window in flight is bounded in bytes, far below this
STORE_SHARE: Final = 0.3  # of the machine's memory; Ray's own default
COUNT_SECONDS: Final = 5.0  # the witness answers at once
STOP_SECONDS: Final = 12.0  # for either step: 1 s as a rule, 7 s without a head; a run must be gone after 30 s
GRACE_SECONDS: Final = 3.0  # Ray's servers end within 1 s
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


class Accounts:
    """What the witness has counted; remembered when Ray is gone."""

    def __init__(self, witness: Any) -> None:
        self._witness = witness
        self._last: tuple[int, dict[str, Usage]] = (0, {})

    def restarts(self) -> int:
        """How many workers were started again so far."""
        return self._ask()[0]

    def usage(self) -> Mapping[str, Usage]:
        """What the workers of each op did so far."""
        return self._ask()[1]

    def _ask(self) -> tuple[int, dict[str, Usage]]:
        with suppress(failures.RayError, ConnectionError):  # the witness or Ray is gone: what was heard last stands
            if self._witness is not None:
                self._last = ray.get(self._witness.accounts.remote(), timeout=COUNT_SECONDS)
        return self._last

    def close(self) -> None:
        """Ask a last time, and let the witness go."""
        self._ask()
        self._witness = None


@contextmanager
def start(spec: WorkersSpec, ops: Mapping[str, OpSpec] | int = 1, rows: int | None = None) -> Iterator[Running]:
    """Start Ray here (`local`) or connect to one; on exit the run's actors are gone, and a local Ray too.

    Raises:
        ConfigError: versions differ, or fewer GPUs than configured.
        TemporaryError: no Ray answers.
        PermissionRefused: the cluster refused this user's token.
    """
    namespace = f"amalgam-{uuid.uuid4().hex[:12]}"
    spec = spec.model_copy(update={"namespace": namespace})
    if spec.address == "local":
        _refuse_missing_gpus(spec, own_gpus())  # before Ray is started, which takes 5 s
    plans = {} if isinstance(ops, int) else tuning.plans(spec, ops, rows)  # while the machine is idle
    before = descendants(os.getpid())
    connect(spec)
    head: Head | None = None
    servers = [p for p in descendants(os.getpid()) if p not in before] if spec.address == "local" else []
    try:
        resources = asked(ray.cluster_resources)
        resolved = _resolve(spec, resources, ops, plans)
        head = Head(resolved.address)
        _warn_if_open(spec.address)
        # Held until the end: the actor lives as long as this handle's process.
        witness = asked(lambda: REMOTE_WITNESS.options(name=WITNESS, namespace=namespace).remote())
        accounts = Accounts(witness)
        try:
            yield Running(resolved, _found(resources, spec.address), accounts.restarts, accounts.usage)
        finally:
            accounts.close()
    finally:
        _stop(namespace, head, servers)


def connect(spec: WorkersSpec) -> None:
    """Connect this process to the Ray of the spec, or start it."""
    target = {"address": spec.address, **(_own_ray() if spec.address == "local" else {})}
    _probe(spec.address)
    on_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    logging.getLogger("ray").setLevel(logging.ERROR)  # its start-up warnings are not for users; failures are raised
    # Else it prints every death of a worker on stdout, between a command's results; Ray's debugger does the same.
    ray._private.worker._worker_logs_enabled = False
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
    return {
        "include_dashboard": False,
        "object_store_memory": min(STORE_BYTES, int(STORE_SHARE * memory)),
        # By default Ray's workers yield to everybody else: to the processes that feed them, and to any other program.
        "_system_config": {"worker_niceness": 0},
    }


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


def _resolve(
    spec: WorkersSpec, resources: Mapping[str, float], ops: Mapping[str, OpSpec] | int, plans: Mapping[str, Plan]
) -> WorkersSpec:
    """The spec as the run's processes need it: real address, number of actors, their share of the GPUs."""
    found = resources.get("GPU", 0.0)
    _refuse_missing_gpus(spec, found)
    gpus = found if spec.gpus is None else spec.gpus
    given = None if spec.replicas == "auto" else spec.replicas
    replicas = given or max(1, int(gpus))
    wanting = None if isinstance(ops, int) else {name for name, op in ops.items() if tuning.wants_gpu(op)}
    arranged = arrange(gpus, plans, wanting, given)
    count = max(1, ops if isinstance(ops, int) else len(ops))
    address = spec.address if "://" in spec.address else ray.get_runtime_context().gcs_address
    return spec.model_copy(
        update={
            "address": address,
            "replicas": replicas,
            "gpus_per_actor": 0.0 if arranged.own_gpus else share_of(gpus, count * replicas),
            "outlived": spec.address != "local",
            "token": is_token_auth_enabled(),
            "own_gpus": arranged.own_gpus,
            "plans": arranged.plans,
        }
    )


def _refuse_missing_gpus(spec: WorkersSpec, found: float) -> None:
    if spec.gpus is not None and spec.gpus > found:
        message = f"must be at most the {found:g} that Ray has; got {spec.gpus:g}"
        raise ConfigError([Problem("workers.gpus", message)])


def own_gpus() -> int:
    """GPUs of this machine, counted as a Ray would that is started here."""
    vendor = get_accelerator_manager_for_resource("GPU")
    visible = vendor.get_current_process_visible_accelerator_ids()
    count: int = vendor.get_current_node_num_accelerators()
    return count if visible is None else min(count, len(visible))


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


def _stop(namespace: str, head: Head | None, servers: Sequence[Member]) -> None:
    """Stop Ray if this process started it; of another Ray only the run's actors, and this process's connection.

    Args:
        namespace: the run's own.
        head: of Ray, once it is known; one that is gone is asked nothing.
        servers: processes of the Ray that this process started.
    """
    # Noted before they become orphans. Without a head two of them live on for a minute.
    below = [member for server in servers for member in descendants(server.pid)]
    try:
        if not servers and head is not None and head.answers():
            bounded(lambda: _stop_actors(namespace), STOP_SECONDS)
    except WorkerDied as error:
        LOG.warning("Ray went away before the run's actors were stopped: %s", error)
    finally:
        _leave()
        end([*servers, *below], GRACE_SECONDS)


def _stop_actors(namespace: str) -> None:
    for entry in asked(lambda: ray.util.list_named_actors(all_namespaces=True)):
        if entry["namespace"] == namespace:
            with suppress(ValueError):  # it ended by itself in the meantime
                asked(partial(_kill, entry["name"], namespace))


def _kill(name: str, namespace: str) -> None:
    ray.kill(ray.get_actor(name, namespace=namespace))


def _leave() -> None:
    try:
        bounded(ray.shutdown, STOP_SECONDS)
    except WorkerDied:
        LOG.warning("Ray did not let go of this process within %g s", STOP_SECONDS)
        atexit.unregister(ray.shutdown)  # it would be waited for again at the end of the process
