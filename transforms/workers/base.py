"""A worker pool is no new concept: `remote(op_spec)` is a BatchOp that runs elsewhere, with a future."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import pyarrow as pa
from pydantic import Field, field_validator

from models.batch import BatchOp, OpSpec
from models.errors import MemoryExceeded
from models.spec import Spec


class Future(Protocol):
    """A batch under way."""

    def result(self) -> pa.RecordBatch:
        """Wait for the batch.

        Raises:
            TemporaryError: the worker died or did not answer in time, and its replacements too.
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


# Ray reads these once, when it is imported.
RAY_ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a FutureWarning about CUDA_VISIBLE_DEVICES
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "1",  # tries to reach a cluster that is away, 40 s each; the default 20 took 409 s
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
    """How often a batch is tried again because its worker died, before the run gives up."""

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
        from transforms.workers.ray_actors import RayWorkers

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
        from transforms.workers import ray_actors

        return ray_actors.start(self, ops)


def _prepare_ray() -> None:
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def run(op: BatchOp, batch: pa.RecordBatch) -> pa.RecordBatch:
    """`op(batch)`, with every way of running out of memory as a MemoryExceeded."""
    try:
        return op(batch)
    except MemoryError as error:
        raise MemoryExceeded(_too_large(batch, error)) from error
    except RuntimeError as error:
        # torch.OutOfMemoryError, told by its name so that workers without torch need not import it.
        if type(error).__name__ == "OutOfMemoryError":
            raise MemoryExceeded(_too_large(batch, error)) from error
        raise


def _too_large(batch: pa.RecordBatch, error: Exception) -> str:
    size = f"{batch.num_rows} rows, {batch.nbytes} bytes"
    return f"a batch must fit into the worker's memory; got {size}: {error!r}"
