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
        """The input's columns, then y and pid."""
        return schema.append(pa.field("y", pa.int64())).append(pa.field("pid", pa.int64()))

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with y and pid, unless it is to misbehave."""
        if self._first_time():
            _misbehave(self._spec.misbehave)
        time.sleep(self._spec.seconds)
        y = pc.multiply(batch.column("x"), 2)
        pid = pa.array(np.full(batch.num_rows, os.getpid()), pa.int64())
        return batch.append_column("y", y).append_column("pid", pid)

    def _first_time(self) -> bool:
        """Whether to misbehave now: always without a `once` file, else only while it does not exist."""
        if self._spec.misbehave == "never":
            return False
        if self._spec.once is None:
            return True
        if Path(self._spec.once).exists():
            return False
        Path(self._spec.once).touch()
        return True


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
    elif how == "data":
        raise ZeroDivisionError("row 3")


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


Misbehaviour = Literal["never", "die", "hang", "spin", "refuse", "memory", "cuda_memory", "data", "build"]


class DoubledSpec(OpSpec):
    """Describes a Doubled."""

    kind: ClassVar[str] = "doubled"

    misbehave: Misbehaviour = "never"
    """What to do instead of the work."""
    once: str | None = None
    """A file that is made when misbehaving; there is no misbehaving once it exists."""
    seconds: float = 0.0
    """How long the work takes."""

    def build(self) -> BatchOp:
        """The op, or the ConfigError of a missing folder of weights."""
        if self.misbehave == "build":
            raise ConfigError([Problem("modalities.photo.encoder.weights", "must be a folder; got 'weights/none'")])
        return Doubled(self)


class NarrowSpec(DoubledSpec):
    """A DoubledSpec that says what it reads."""

    kind: ClassVar[str] = "narrow"

    def reads(self) -> tuple[str, ...]:
        """Only x travels."""
        return ("x",)


def batch(rows: int = 4, **columns: Any) -> pa.RecordBatch:
    """`x = 0, 1, …` and further columns."""
    return pa.RecordBatch.from_pydict({"x": pa.array(range(rows), pa.int64()), **columns})
