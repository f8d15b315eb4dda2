"""A worker pool is no new concept: `remote(op_spec)` is a BatchOp that runs elsewhere, with a future."""

from __future__ import annotations

import gc
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, ClassVar, Final, Literal, NamedTuple, Protocol, runtime_checkable

import pyarrow as pa
from pydantic import Field, field_validator

from models.batch import BatchOp, OpSpec
from models.errors import AmalgamError, ConfigError, MemoryExceeded, WorkerDied
from models.spec import Spec


class Future(Protocol):
    """A batch under way."""

    def result(self) -> pa.RecordBatch:
        """Wait for the batch.

        Raises:
            WorkerCrashed: the worker died or hung while it worked on this very batch, which may be to blame. It is for
                the caller to try again, whole or in halves; a new worker takes what comes.
            WorkerDied: there is no worker any more: replacements die before they begin a batch, or too many died.
            ConfigError: the worker could not be built (missing weights, wrong dimension).
            MemoryExceeded: the batch did not fit; a smaller one may.
            Exception: what the op itself raised, of the class that it raised.
        """
        ...


class RemoteOp(BatchOp, Protocol):
    """A BatchOp that can also be submitted, so that reading and decoding go on meanwhile."""

    def submit(self, batch: pa.RecordBatch) -> Future:
        """Start the work and return at once."""
        ...


class Workers(Protocol):
    """Hands out remote ops; one per process, made from a WorkersSpec."""

    def remote(self, spec: OpSpec, name: str) -> RemoteOp:
        """The op under this name, the same actor for every process of the run."""
        ...

    def close(self) -> None:
        """Let go of what this process holds; the run's owner also stops the actors."""
        ...


@runtime_checkable
class ReadsColumns(Protocol):
    """An OpSpec that knows which columns its op reads: then only these travel to the worker."""

    def reads(self) -> Sequence[str]:
        """Names of the input columns that the op looks at, replaces or drops."""
        ...


class Running(NamedTuple):
    """Workers that were started or found for one run."""

    spec: WorkersSpec
    """The spec with everything resolved; what travels to the processes of the run."""
    found: str
    """One line for the user: what is there (Ray, Python, CPUs, GPUs, object store)."""
    restarts: Callable[[], int]
    """How many workers died and were started again so far; never waits long, and may be asked after the end too."""


# Ray reads these once, when it is imported.
RAY_ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a FutureWarning about CUDA_VISIBLE_DEVICES
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "1",  # tries to reach a cluster that is away, 40 s each; the default 20 took 409 s
    "RAY_gcs_server_request_timeout_seconds": "20",  # of its 60, after which Ray ends a process without a head
}
ADDRESS = re.compile(r"inline|local|auto|(ray://)?[^\s:/]+:\d{1,5}")


class WorkersSpec(Spec[Workers]):
    """Where encoders run: in the process itself, or in Ray actors (job file key `workers`)."""

    kind: ClassVar[str] = "workers"
    derived: ClassVar[frozenset[str]] = frozenset({"namespace", "gpus_per_actor", "outlived", "token"})

    address: str = "local"
    """`inline` (no Ray), `local` (a Ray that lives as long as the run), `auto` (the Ray that runs here),
    `ray://host:port` (a cluster, through its client port) or `host:port` (this machine is part of it)."""
    gpus: Annotated[float, Field(ge=0)] | None = None
    """GPUs for all encoders together; all that Ray has when not given."""
    replicas: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Actors per encoder; `auto` is one per GPU, or one on a machine without GPUs."""
    threads: Annotated[int, Field(ge=1)] = 1
    """CPU threads of one actor; more help only when there are more cores than actors and Beam processes."""
    deadline: Annotated[float, Field(gt=0)] = 300.0
    """Seconds that an actor may work on one batch before it counts as hung and is replaced."""
    startup: Annotated[float, Field(gt=0)] = 900.0
    """Seconds that an actor may take to start and load its weights."""
    max_restarts: Annotated[int, Field(ge=0)] = 3
    """How many workers in a row may die before they begin any batch (of their weights, say) until the run gives up."""
    max_crashes: Annotated[int, Field(ge=0)] = 100
    """How many workers may die in a run; finding one row that kills its worker costs at most log2(batch) + 3."""

    namespace: str | None = None
    """The run's own namespace in Ray; keeps its actors apart from those of other runs."""
    gpus_per_actor: float = 0.0
    """Share of a GPU that each actor holds."""
    outlived: bool = False
    """Whether Ray outlives the run, so that the actors must end themselves when the run's driver is gone."""
    token: bool = False
    """Whether Ray asks for a token; the token itself stays where Ray keeps it, on each machine."""

    @field_validator("address")
    @classmethod
    def _known_address(cls, value: str) -> str:
        if not ADDRESS.fullmatch(value):
            raise ValueError("must be inline, local, auto, ray://host:port or host:port")
        return value

    def build(self) -> Workers:
        """The workers for this process, connected to the run's Ray when first used."""
        if self.address == "inline":
            from transforms.workers.inline import InlineWorkers

            return InlineWorkers()
        _prepare_ray()
        if self.token:
            # Ray asks for its token by name, except on `local` and `auto`, and reads this when it is imported.
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        from transforms.workers.ray_ops import RayWorkers

        return RayWorkers(self)

    def start(self, ops: int = 1) -> AbstractContextManager[Running]:
        """Start or find the workers of a run in which `ops` ops share them; nothing is left on exit.

        Raises (on entering):
            ConfigError: versions of Ray or Python differ, or there are fewer GPUs than configured.
            TemporaryError: no Ray answers at the address.
        """
        if self.address == "inline":
            from transforms.workers import inline

            return inline.start(self)
        _prepare_ray()
        from transforms.workers import ray_start

        return ray_start.start(self, ops)


def _prepare_ray() -> None:
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def built(spec: OpSpec, name: str, *, attempts: int = 1) -> BatchOp:
    """`spec.build()`, with everything that can go wrong as one of our errors.

    Args:
        spec: describes the op.
        name: what users call it.
        attempts: how often to try while there is not enough memory: that of a worker which was just killed may not
            be free yet.

    Raises:
        ConfigError: the op cannot be built here: its weights are missing, say, or do not fit, or into memory.
        WorkerDied: the device failed.
        AmalgamError: what the op itself raised.
    """
    try:
        return spec.build()
    except AmalgamError:
        raise
    except Exception as error:  # whatever a library raises for weights that it cannot use
        if is_device_failure(error):
            raise WorkerDied(f"worker {name} must have a working device; got {_told(error)}") from error
        if attempts == 1 or not is_out_of_memory(error):
            raise ConfigError(f"the op of worker {name} must load; got {_told(error)}") from error
    gc.collect()
    time.sleep(MEMORY_SECONDS)
    return built(spec, name, attempts=attempts - 1)


def run(op: BatchOp, batch: pa.RecordBatch) -> pa.RecordBatch:
    """`op(batch)`, with every way of running out of memory as MemoryExceeded, and a failed device as WorkerDied."""
    try:
        return op(batch)
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            size = f"{batch.num_rows} rows, {batch.nbytes} bytes"
            raise MemoryExceeded(f"a batch must fit into the worker's memory; got {size}: {error!r}") from error
        if is_device_failure(error):
            raise WorkerDied(f"a worker must have a working device; got {_told(error)}") from error
        raise


MEMORY_SECONDS: Final = 3.0  # between attempts: the memory of a killed process is free within 1 s when nothing holds it
DEVICE: Final = re.compile(r"(CUDA|cuDNN|CUBLAS|HIP) (driver )?error|no CUDA(-capable device| GPUs)", re.IGNORECASE)


def is_out_of_memory(error: Exception) -> bool:
    """Whether host or device had no room; torch.OutOfMemoryError by its name, so that torch need not be imported."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def is_device_failure(error: Exception) -> bool:
    """Whether a GPU failed or vanished: nothing that this process asks of it later will work either."""
    if is_out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    return type(error).__name__ == "AcceleratorError" or DEVICE.match(str(error)) is not None


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
