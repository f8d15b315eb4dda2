"""Embed: cleaned values to embeddings, on workers; submitted first, collected later, so that decoding goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.arrow import concat_lists, set_column, valid_mask
from models.errors import MemoryExceeded
from models.schema import ISSUES, ISSUES_TYPE, clean_column, emb_column
from transforms.workers.base import Future, RemoteOp

NON_FINITE = "embedding_non_finite"
"""Issue code: the encoder gave NaN or infinity for a value that was cleaned without complaint."""


@dataclass(frozen=True)
class Call:
    """One modality's values on their way through its encoder."""

    op: RemoteOp
    values: pa.RecordBatch
    future: Future

    @classmethod
    def submit(cls, op: RemoteOp, values: pa.RecordBatch) -> Call:
        """Send the values to the worker."""
        return cls(op, values, op.submit(values))

    def result(self) -> pa.RecordBatch:
        """The encoded values; a batch that does not fit into the worker's memory is halved until it does.

        Raises:
            MemoryExceeded: a single value does not fit.
        """
        try:
            return self.future.result()
        except MemoryExceeded:
            rows = self.values.num_rows
            if rows == 1:
                raise
            halves = (self.values.slice(0, rows // 2), self.values.slice(rows // 2))
            parts = [Call.submit(self.op, half).result() for half in halves]
            return pa.concat_batches(parts)


@dataclass(frozen=True)
class Pending:
    """A batch whose embeddings are under way."""

    batch: pa.RecordBatch
    """The rows without their cleaned values, which only the workers still need."""
    calls: Mapping[str, Call]
    """Modality -> its encoder at work."""
    nbytes: int
    """What the batch occupies while it is under way."""

    def result(self) -> pa.RecordBatch:
        """The batch with `emb_<modality>` for every modality (null where masked) and the encoders' issues."""
        batch, issues = self.batch, []
        for modality, call in self.calls.items():
            result = call.result()
            embedded = result.column(result.schema.get_field_index(emb_column(modality)))
            batch = batch.append_column(emb_column(modality), embedded)
            issues.append(_non_finite(modality, call.values.column(0).is_valid(), embedded))
        known = batch.column(batch.schema.get_field_index(ISSUES))
        return set_column(batch, ISSUES, concat_lists(known, *issues).cast(ISSUES_TYPE))


class Embed:
    """Sends each modality of a batch to its encoder's workers."""

    def __init__(self, ops: Mapping[str, RemoteOp]) -> None:
        self._ops = dict(ops)

    def submit(self, batch: pa.RecordBatch) -> Pending:
        """Start encoding a cleaned batch and return at once."""
        calls = {m: Call.submit(op, batch.select([clean_column(m)])) for m, op in self._ops.items()}
        rest = [name for name in batch.schema.names if name not in map(clean_column, self._ops)]
        return Pending(batch.select(rest), calls, batch.nbytes)


def _non_finite(modality: str, mask: pa.Array, embedded: pa.Array) -> pa.Array:
    lost = mask.to_numpy(zero_copy_only=False) & ~valid_mask(embedded)
    offsets = np.concatenate([[0], np.cumsum(lost)]).astype(np.int32)
    codes = pa.array([f"{modality}.{NON_FINITE}"], pa.string()).take(pa.array(np.zeros(int(lost.sum()), np.int64)))
    return pa.ListArray.from_arrays(pa.array(offsets), codes)
