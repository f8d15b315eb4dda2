"""A worker pool is no new concept: `remote(op_spec)` is a BatchOp that runs elsewhere, with a future for its result."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from models.batch import BatchOp, OpSpec


class Future(Protocol):
    """A batch under way."""

    def result(self) -> pa.RecordBatch:
        """Wait for the batch.

        Raises:
            TemporaryError: the worker died or did not answer in time, and its replacements too.
            ConfigError: the worker could not be built (missing weights, wrong dimension).
            MemoryExceeded: the batch did not fit; a smaller one may.
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
