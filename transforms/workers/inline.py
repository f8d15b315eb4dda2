"""Workers in the process itself: the fake that ships with Amalgam, and the choice where Ray is not wanted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pyarrow as pa

from models.batch import BatchOp, OpSpec
from transforms.workers.base import Running, WorkersSpec, built, run


class InlineFuture:
    """A batch that is worked on when its result is asked for (so that a window of them holds inputs only)."""

    def __init__(self, op: BatchOp, batch: pa.RecordBatch) -> None:
        self._op = op
        self._batch = batch

    def result(self) -> pa.RecordBatch:
        """The op's result; raises what the op raises, and MemoryExceeded when the batch does not fit."""
        return run(self._op, self._batch)


class InlineOp:
    """An op of this process behind the interface of a remote one."""

    def __init__(self, op: BatchOp) -> None:
        self._op = op

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The op's own promise."""
        return self._op.output_schema(schema)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The op's result, now."""
        return run(self._op, batch)

    def submit(self, batch: pa.RecordBatch) -> InlineFuture:
        """The op's result, when asked for."""
        return InlineFuture(self._op, batch)


class InlineWorkers:
    """Builds each op once in this process."""

    _building: ClassVar = threading.Lock()  # a runner's threads share a process, and imports of transformers do not

    def __init__(self) -> None:
        self._ops: dict[tuple[str, str], InlineOp] = {}

    def remote(self, spec: OpSpec, name: str) -> InlineOp:
        """The op of this process under this name.

        Raises:
            ConfigError: it cannot be built.
        """
        key = (name, spec.fingerprint())
        with self._building:
            if key not in self._ops:
                self._ops[key] = InlineOp(built(spec, name))
        return self._ops[key]

    def close(self) -> None:
        """Drop the ops and their weights."""
        self._ops.clear()


@contextmanager
def start(spec: WorkersSpec) -> Iterator[Running]:
    """Nothing to start: encoders run inside the Beam processes."""
    yield Running(spec, "inline: encoders run inside the Beam processes, without Ray", lambda: 0)
