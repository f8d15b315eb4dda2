"""A worker pool is no new concept: `remote(op_spec)` is a BatchOp that runs elsewhere, with a future."""

from __future__ import annotations

import gc
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Protocol, runtime_checkable

import pyarrow as pa
from pydantic import Field, field_validator

from models.batch import BatchOp, OpSpec
from models.errors import AmalgamError, ConfigError, MemoryExceeded, Problem, WorkerDied
from models.spec import Spec
from transforms.workers.layout import Auto, Plan


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

    def load(self, replicas: int | None = None) -> None:
        """Let this many of the op's replicas load it now, without waiting; all of them when None.

        The others load it when there is enough for them to do.
        """
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


class Usage(NamedTuple):
    """What an op's workers did so far, all of them together."""

    batches: int = 0
    rows: int = 0
    busy: float = 0.0
    """Seconds at work."""
    idle: float = 0.0
    """Seconds in which a worker waited for its next batch, between its first and its last."""
    computed: int = 0
    """Tokens (or what else is padded), padding included; 0 where the op does not count them."""
    real: int = 0
    """The part of `computed` that was input."""
    gpu_memory: int = 0
    """Most bytes of a GPU that one worker held; 0 without a GPU."""
    gpu_busy: float = 0.0
    """Sum over `gpu_looks` of the part of the last moment (0 to 1) in which the GPU was at work."""
    gpu_looks: int = 0

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            batches=self.batches + other.batches,
            rows=self.rows + other.rows,
            busy=self.busy + other.busy,
            idle=self.idle + other.idle,
            computed=self.computed + other.computed,
            real=self.real + other.real,
            gpu_memory=max(self.gpu_memory, other.gpu_memory),
            gpu_busy=self.gpu_busy + other.gpu_busy,
            gpu_looks=self.gpu_looks + other.gpu_looks,
        )

    def told(self) -> dict[str, float]:
        """For people and manifests: seconds, rows and parts of a whole, without what is not known."""
        told = {"rows": self.rows, "batches": self.batches, "busy_seconds": round(self.busy, 3)}
        told |= {"idle_seconds": round(self.idle, 3), "waiting": round(self.waiting, 4)}
        told |= {"padding": round(self.padding, 4)} if self.computed else {}
        told |= {"gpu_memory": self.gpu_memory} if self.gpu_memory else {}
        busy = self.gpu_utilization
        return told if busy is None else told | {"gpu_utilization": round(busy, 4)}

    @property
    def waiting(self) -> float:
        """Part of the time, 0 to 1, in which workers waited for input."""
        return self.idle / (self.idle + self.busy) if self.idle else 0.0

    @property
    def padding(self) -> float:
        """Part of the computed tokens that was padding, 0 to 1."""
        return 1 - self.real / self.computed if self.computed else 0.0

    @property
    def gpu_utilization(self) -> float | None:
        """Mean part of the time in which the GPU was at work, 0 to 1; None where it was not looked at."""
        return self.gpu_busy / self.gpu_looks if self.gpu_looks else None


class Running(NamedTuple):
    """Workers that were started or found for one run."""

    spec: WorkersSpec
    """The spec with everything resolved; what travels to the processes of the run."""
    found: str
    """One line for the user: what is there (Ray, Python, CPUs, GPUs, object store)."""
    restarts: Callable[[], int]
    """How many workers died and were started again so far; never waits long, and may be asked after the end too."""
    usage: Callable[[], Mapping[str, Usage]]
    """What the workers of each op did so far, those that died included; as patient as `restarts`."""


# Ray reads these once, when it is imported.
RAY_ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a FutureWarning about CUDA_VISIBLE_DEVICES
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "1",  # tries to reach a cluster that is away, 40 s each; the default 20 took 409 s
    "RAY_gcs_server_request_timeout_seconds": "20",  # of its 60, after which Ray ends a process without a head
}
DEADLINE_ROWS: Final = 128  # an image model of 0.5 images/s on a CPU takes 256 s for so many
ADDRESS = re.compile(r"inline|local|auto|(ray://)?[^\s:/]+:\d{1,5}")


class WorkersSpec(Spec[Workers]):
    """Where encoders run: in the process itself, or in Ray actors (job file key `workers`)."""

    kind: ClassVar[str] = "workers"
    derived: ClassVar[frozenset[str]] = frozenset(
        {"namespace", "gpus_per_actor", "outlived", "token", "plans", "notes", "own_gpus"}
    )

    address: str = "local"
    """`inline` (no Ray), `local` (a Ray that lives as long as the run), `auto` (the Ray that runs here),
    `ray://host:port` (a cluster, through its client port) or `host:port` (this machine is part of it)."""
    gpus: Annotated[float, Field(ge=0)] | None = None
    """GPUs for all encoders together; all that Ray has when not given."""
    replicas: Annotated[int, Field(ge=1)] | Auto = "auto"
    """Actors per encoder; `auto` is one per GPU, and on CPUs what was measured to be fastest (one if nothing was)."""
    threads: Annotated[int, Field(ge=1)] | Auto = "auto"
    """CPU threads of one actor; `auto` is what was measured to be fastest (one if nothing was)."""
    batch: Annotated[int, Field(ge=1)] | Auto = "auto"
    """Rows that an encoder with weights runs at once; `auto` is what was measured, else the encoder's own setting."""
    measuring: Annotated[float, Field(ge=0, le=3600)] = 20.0
    """Seconds that a run may spend on finding out what `auto` should be, where no earlier run has; 0: none."""
    deadline: Annotated[float, Field(gt=0)] = 300.0
    """Seconds that an actor may work on one batch before it counts as hung and is replaced; a batch of more than 128
    rows has more, in proportion."""
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
    own_gpus: int = 0
    """GPUs of this machine that the run uses, where it shares them out itself."""
    plans: dict[str, Plan] = {}
    """Op -> how it is run, where that was found out."""
    notes: str | None = None
    """Folder in which the processes of an inline run write down what their ops did."""

    @field_validator("address")
    @classmethod
    def _known_address(cls, value: str) -> str:
        if not ADDRESS.fullmatch(value):
            raise ValueError("must be inline, local, auto, ray://host:port or host:port")
        return value

    def plan(self, name: str) -> Plan:
        """How the op of this name is run: as was found out, else as configured, `auto` being one."""
        given = {"replicas": self.replicas, "threads": self.threads}
        return self.plans.get(name) or Plan.model_validate({k: 1 if v == "auto" else v for k, v in given.items()})

    def patience(self, rows: int) -> float:
        """Seconds that an actor may work on a batch of so many rows."""
        return self.deadline * max(1.0, rows / DEADLINE_ROWS)

    def gpus_of(self, name: str) -> float:
        """GPUs that each actor of this op holds."""
        gpus = self.plan(name).gpus
        return self.gpus_per_actor if gpus is None else gpus

    def build(self) -> Workers:
        """The workers for this process, connected to the run's Ray when first used."""
        if self.address == "inline":
            from transforms.workers.inline import InlineWorkers

            return InlineWorkers(self)
        _prepare_ray()
        if self.token:
            # Ray asks for its token by name, except on `local` and `auto`, and reads this when it is imported.
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        from transforms.workers.ray_ops import RayWorkers

        return RayWorkers(self)

    def start(self, ops: Mapping[str, OpSpec] | int = 1, rows: int | None = None) -> AbstractContextManager[Running]:
        """Start or find the workers of a run; nothing is left on exit.

        Args:
            ops: the ops that share them, by name; their number alone where nothing is to be found out about them.
            rows: how many rows the run will send; a short run is not worth a measurement.

        Raises (on entering):
            ConfigError: versions of Ray or Python differ, or there are fewer GPUs than configured.
            TemporaryError: no Ray answers at the address.
        """
        if self.address == "inline":
            from transforms.workers import inline

            return inline.start(self, ops, rows)
        _prepare_ray()
        from transforms.workers import ray_start

        return ray_start.start(self, ops, rows)

    def fit_together(self, fit: Callable[[Any], object], members: int, folder: Path) -> None:
        """Run `fit(team)` in so many processes that train together, and wait for them; they leave checkpoints behind.

        Args:
            fit: from the team (`models.learn.deciding.Team`); it is sent to the processes.
            members: how many of them.
            folder: for Ray's own notes, which are removed; shared by all machines of a cluster.

        Raises:
            ConfigError: there is no Ray, or what `fit` itself raised.
            TemporaryError: no Ray answers at the address, or members died again and again.
        """
        if self.address == "inline":
            message = "must name a Ray (local, auto, an address) where several processes train; got 'inline'"
            raise ConfigError([Problem("workers.address", message)])
        _prepare_ray()
        from transforms.workers import ray_train

        ray_train.fit_together(fit, members, self, folder)


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
