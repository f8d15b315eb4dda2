"""Small ops for the tests of workers: they add, fail, hang or die as their settings say."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.batch import BatchOp, OpSpec
from models.errors import ConfigError, Problem, SchemaRefused


class Doubled:
    """Adds `y = 2 x` and `pid`, the process that did it."""

    def __init__(self, spec: DoubledSpec) -> None:
        self._spec = spec

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """See DoubledSpec.output_schema."""
        return self._spec.output_schema(schema)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with y and pid, unless it is to misbehave."""
        if self._spec.misbehave != "never" and self._concerned(batch) and not self._spec.seen():
            _misbehave(self._spec.misbehave)
        time.sleep(self._spec.seconds)
        y = pc.multiply(batch.column("x"), 2)
        pid = pa.array(np.full(batch.num_rows, os.getpid()), pa.int64())
        return batch.append_column("y", y).append_column("pid", pid)

    def _concerned(self, batch: pa.RecordBatch) -> bool:
        return self._spec.poison is None or self._spec.poison in batch.column("x").to_pylist()


def _misbehave(how: str) -> None:
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "spin":
        time.sleep(3600)
    elif how == "refuse":
        raise SchemaRefused("column x must be int64; got string")
    elif how == "memory":
        raise MemoryError
    elif how == "cuda_memory":
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    elif how == "device":
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    elif how == "data":
        raise ZeroDivisionError("row 3")


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


Misbehaviour = Literal["never", "die", "hang", "spin", "refuse", "memory", "cuda_memory", "device", "data"]


class DoubledSpec(OpSpec):
    """Describes a Doubled."""

    kind: ClassVar[str] = "doubled"

    misbehave: Misbehaviour = "never"
    """What to do instead of the work."""
    poison: int | None = None
    """The x that makes it misbehave; every batch does when not given."""
    build_fails: Literal["no", "config", "missing", "memory", "device", "die"] = "no"
    """What happens instead of building."""
    once: str | None = None
    """A file that is made when misbehaving; there is no misbehaving once it exists."""
    seconds: float = 0.0
    """How long the work takes."""

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The input's columns, then y and pid."""
        return schema.append(pa.field("y", pa.int64())).append(pa.field("pid", pa.int64()))

    def build(self) -> BatchOp:
        """The op, unless building is to fail."""
        if self.build_fails != "no" and not self.seen():
            _fail_to_build(self.build_fails)
        return Doubled(self)

    def seen(self) -> bool:
        """Whether it has misbehaved before; never without a `once` file, which is made here."""
        if self.once is None:
            return False
        if Path(self.once).exists():
            return True
        Path(self.once).touch()
        return False


def _fail_to_build(how: str) -> None:
    if how == "config":
        raise ConfigError([Problem("modalities.photo.encoder.weights", "must be a folder; got 'weights/none'")])
    if how == "missing":
        raise FileNotFoundError(2, "No such file or directory", "weights/none")
    if how == "memory":
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    if how == "device":
        raise RuntimeError("No CUDA GPUs are available")
    os.kill(os.getpid(), signal.SIGKILL)


class NarrowSpec(DoubledSpec):
    """A DoubledSpec that says what it reads."""

    kind: ClassVar[str] = "narrow"

    def reads(self) -> tuple[str, ...]:
        """Only x travels."""
        return ("x",)


def batch(rows: int = 4, **columns: Any) -> pa.RecordBatch:
    """`x = 0, 1, …` and further columns."""
    return pa.RecordBatch.from_pydict({"x": pa.array(range(rows), pa.int64()), **columns})
