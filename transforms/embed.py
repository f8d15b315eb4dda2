"""Embed: cleaned values to embeddings, on workers; submitted first, collected later, so that decoding goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.arrow import Bool, concat_lists, set_column, valid_mask
from models.columns import codes_where
from models.errors import ConfigError, MemoryExceeded
from models.schema import ISSUES, ISSUES_TYPE, clean_column, emb_column
from transforms.blame import Failure, Fault, Verdict, judge
from transforms.clean import named_issues
from transforms.workers.base import Future, RemoteOp
from transforms.workers.ceiling import Ceiling

NON_FINITE = "embedding_non_finite"
"""Issue code: the encoder gave NaN or infinity for a value that was cleaned without complaint."""
TOO_LARGE = "embedding_out_of_memory"
"""Issue code: the value alone does not fit into the worker's memory."""
CODES = (NON_FINITE, TOO_LARGE)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One modality's values on their way through its encoder."""

    modality: str
    op: RemoteOp
    values: pa.RecordBatch
    """`[k]`: those that are there."""
    valid: Bool
    """`[n]`: the rows that they stand in."""
    futures: Sequence[Future]
    ceiling: Ceiling
    """How many values its worker takes at once."""

    @classmethod
    def submit(cls, modality: str, op: RemoteOp, column: pa.RecordBatch, ceiling: Ceiling) -> Call:
        """Send the column's values to the worker, in as many pieces as are known to be needed."""
        valid = valid_mask(column.column(0))
        values = column if valid.all() else column.filter(pa.array(valid))
        most = max(1, ceiling.most(values.num_rows))
        pieces = [values.slice(start, most) for start in range(0, values.num_rows, most)]
        return cls(modality, op, values, valid, [op.submit(piece) for piece in pieces], ceiling)

    def result(self) -> Encoded:
        """The embeddings; a batch that fails is halved (see `transforms.blame`).

        Raises:
            ConfigError: with the encoder's YAML path.
            MemoryExceeded: not one of several values fits.
            WorkerDied: the worker is gone for good.
        """
        if not self.values.num_rows:
            return self._encoded(Verdict(None, {}, 0))
        try:
            verdict = judge(self.values, lambda half: self.op.submit(half).result(), self._first)
        except ConfigError as error:
            raise error.at(f"modalities.{self.modality}.encoder") from error
        memory = [failure for failure in verdict.guilty.values() if failure.fault is Fault.MEMORY]
        if len(memory) == self.values.num_rows > 1:
            raise MemoryExceeded(
                f"modalities.{self.modality}: a value must fit into its worker's memory; got {len(memory)} values of "
                f"which not one does: {memory[0].error}"
            )
        self._remember(verdict)
        return self._encoded(verdict)

    def _first(self) -> pa.RecordBatch:
        results = []
        for future in self.futures:
            results.append(future.result())
            self.ceiling.fitted(results[-1].num_rows)
        return pa.concat_batches(results)

    def _remember(self, verdict: Verdict) -> None:
        """Where all rows came through, but not at once, it was too many: the next batches are cut beforehand."""
        known = self.ceiling.most(self.values.num_rows)
        if not verdict.guilty and verdict.fits < known:
            self.ceiling.failed(2 * verdict.fits)
            _LOG.warning(
                "modalities.%s: %d values at once are too many for its worker; from now on at most %d",
                self.modality,
                known,
                verdict.fits,
            )

    def _encoded(self, verdict: Verdict) -> Encoded:
        """The verdict on the k values, put back to the n rows."""
        rows = np.flatnonzero(self.valid)
        guilty = {int(rows[i]): failure for i, failure in verdict.guilty.items()}
        failed = _flags(guilty, len(self.valid))
        column = self._column(verdict.good, self.valid & ~failed)
        large = {row: failure for row, failure in guilty.items() if failure.fault is Fault.MEMORY}
        codes = concat_lists(
            codes_where(NON_FINITE, self.valid & ~valid_mask(column) & ~failed),
            codes_where(TOO_LARGE, _flags(large, len(self.valid))),
        )
        rest = {row: failure for row, failure in guilty.items() if row not in large}
        return Encoded(column, codes, rest, len(rows))

    def _column(self, good: pa.RecordBatch | None, came_through: Bool) -> pa.Array:
        """`[n]` embeddings: those of the rows that came through, in order; null for the others."""
        name = emb_column(self.modality)
        if good is None:
            return pa.nulls(len(came_through), self.op.output_schema(self.values.schema).field(name).type)
        found = good.column(good.schema.get_field_index(name))
        if came_through.all():
            return found
        return found.take(pa.array(np.cumsum(came_through) - 1, mask=~came_through))


@dataclass(frozen=True)
class Encoded:
    """One modality's embeddings, one for each row that was submitted."""

    column: pa.Array
    """Null where the value was masked, or has no embedding."""
    codes: pa.Array
    """list<string>: why a value that was there has none."""
    guilty: Mapping[int, Failure]
    """Rows that must not be published: their values make the encoder fail or kill its worker."""
    values: int
    """How many values were encoded."""


@dataclass(frozen=True)
class Embedded:
    """A batch with its embeddings."""

    batch: pa.RecordBatch
    """With `emb_<modality>` for every modality (null where masked) and the encoders' issues."""
    guilty: Mapping[int, Failure]
    """Rows of it that must not be published."""
    encoded: Mapping[str, Encoded]
    """The same, modality by modality."""


@dataclass(frozen=True)
class Pending:
    """A batch whose embeddings are under way."""

    batch: pa.RecordBatch
    """The rows without their cleaned values, which only the workers still need."""
    calls: tuple[Call, ...]
    """One encoder at work for each modality."""
    nbytes: int
    """What the batch occupies while it is under way."""

    def result(self) -> Embedded:
        """Wait for all embeddings; see `Call.result` for what this raises."""
        encoded = {call.modality: call.result() for call in self.calls}
        batch = self.batch
        issues = [batch.column(batch.schema.get_field_index(ISSUES))]
        guilty: dict[int, Failure] = {}
        for modality, result in encoded.items():
            batch = batch.append_column(emb_column(modality), result.column)
            issues.append(named_issues(modality, result.codes))
            guilty = {**result.guilty, **guilty}
        return Embedded(set_column(batch, ISSUES, concat_lists(*issues).cast(ISSUES_TYPE)), guilty, encoded)


class Embed:
    """Sends each modality of a batch to its encoder's workers.

    Args:
        ops: modality -> its encoder's op.
        ceilings: modality -> how much its worker takes at once; as much as there is where none is given.
    """

    def __init__(self, ops: Mapping[str, RemoteOp], ceilings: Mapping[str, Ceiling] | None = None) -> None:
        self._ops = dict(ops)
        self._ceilings = {name: (ceilings or {}).get(name) or Ceiling() for name in ops}

    def submit(self, batch: pa.RecordBatch) -> Pending:
        """Start encoding a cleaned batch and return at once."""
        calls = tuple(
            Call.submit(m, op, batch.select([clean_column(m)]), self._ceilings[m]) for m, op in self._ops.items()
        )
        rest = [name for name in batch.schema.names if name not in map(clean_column, self._ops)]
        kept = batch.select(rest)
        return Pending(kept, calls, kept.nbytes + sum(call.values.nbytes for call in calls))


def _flags(rows: Mapping[int, Failure], length: int) -> Bool:
    """`[length]`: True at the given rows."""
    flags = np.zeros(length, dtype=np.bool_)
    flags[list(rows)] = True
    return flags
