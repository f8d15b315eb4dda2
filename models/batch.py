"""The one shape of work inside a unit: a RecordBatch in, the same rows with more columns out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import pyarrow as pa

from models.spec import Spec


@runtime_checkable
class BatchOp(Protocol):
    """A step that keeps rows and their order."""

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the result for a batch of `schema`; needs no weights and does no I/O."""
        ...

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same rows in the same order, with the columns that `output_schema` promises."""
        ...


class Chain:
    """Several BatchOps, one after the other, as one BatchOp."""

    def __init__(self, ops: Sequence[BatchOp]) -> None:
        self.ops = tuple(ops)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema after the last step."""
        for op in self.ops:
            schema = op.output_schema(schema)
        return schema

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch after the last step."""
        for op in self.ops:
            batch = op(batch)
        return batch


def chain(*ops: BatchOp) -> BatchOp:
    """`chain(a, b)(batch) == b(a(batch))`; one step alone is returned as it is."""
    return ops[0] if len(ops) == 1 else Chain(ops)


class OpSpec(Spec[BatchOp]):
    """Describes a BatchOp; what travels to the process that runs it."""

    @abstractmethod
    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """What the op promises for batches of `schema`; loads nothing."""
