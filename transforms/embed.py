"""Embed: cleaned values to embeddings, on workers; submitted first, collected later, so that decoding goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.arrow import concat_lists, set_column, valid_mask
from models.schema import ISSUES, ISSUES_TYPE, clean_column, emb_column
from transforms.workers.base import Future, RemoteOp

NON_FINITE = "embedding_non_finite"
"""Issue code: the encoder gave NaN or infinity for a value that was cleaned without complaint."""


@dataclass(frozen=True)
class Pending:
    """A batch whose embeddings are under way."""

    batch: pa.RecordBatch
    """The rows without their cleaned values, which only the workers still need."""
    futures: Mapping[str, Future]
    masks: Mapping[str, pa.Array]
    nbytes: int
    """What the batch occupies while it is under way."""

    def result(self) -> pa.RecordBatch:
        """The batch with `emb_<modality>` for every modality (null where masked) and the encoders' issues."""
        batch, issues = self.batch, []
        for modality, future in self.futures.items():
            result = future.result()
            embedded = result.column(result.schema.get_field_index(emb_column(modality)))
            batch = batch.append_column(emb_column(modality), embedded)
            issues.append(_non_finite(modality, self.masks[modality], embedded))
        known = batch.column(batch.schema.get_field_index(ISSUES))
        return set_column(batch, ISSUES, concat_lists(known, *issues).cast(ISSUES_TYPE))


class Embed:
    """Sends each modality of a batch to its encoder's workers."""

    def __init__(self, ops: Mapping[str, RemoteOp]) -> None:
        self._ops = dict(ops)

    def submit(self, batch: pa.RecordBatch) -> Pending:
        """Start encoding a cleaned batch and return at once."""
        futures, masks = {}, {}
        for modality, op in self._ops.items():
            column = clean_column(modality)
            values = batch.select([column])
            futures[modality] = op.submit(values)
            masks[modality] = values.column(0).is_valid()
        rest = [name for name in batch.schema.names if name not in map(clean_column, self._ops)]
        return Pending(batch.select(rest), futures, masks, batch.nbytes)


def _non_finite(modality: str, mask: pa.Array, embedded: pa.Array) -> pa.Array:
    lost = mask.to_numpy(zero_copy_only=False) & ~valid_mask(embedded)
    offsets = np.concatenate([[0], np.cumsum(lost)]).astype(np.int32)
    codes = pa.array([f"{modality}.{NON_FINITE}"], pa.string()).take(pa.array(np.zeros(int(lost.sum()), np.int64)))
    return pa.ListArray.from_arrays(pa.array(offsets), codes)
