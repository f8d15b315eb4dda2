"""Embed: cleaned values to embeddings, on workers; submitted first, collected later, so that decoding goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from models.arrow import Bool, concat_lists, set_column, valid_mask
from models.errors import ConfigError, MemoryExceeded
from models.schema import ISSUES, ISSUES_TYPE, clean_column, emb_column
from transforms.blame import Failure, Fault, Verdict, judge
from transforms.workers.base import Future, RemoteOp

NON_FINITE = "embedding_non_finite"
"""Issue code: the encoder gave NaN or infinity for a value that was cleaned without complaint."""
TOO_LARGE = "embedding_out_of_memory"
"""Issue code: the value alone does not fit into the worker's memory."""
CODES = (NON_FINITE, TOO_LARGE)

Ceilings: TypeAlias = dict[str, int]
"""Modality -> most values that its worker takes at once, where that was found out; lives as long as the process."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One modality's values on their way through its encoder."""

    modality: str
    op: RemoteOp
    values: pa.RecordBatch
    futures: Sequence[Future]
    ceilings: Ceilings

    @classmethod
    def submit(cls, modality: str, op: RemoteOp, values: pa.RecordBatch, ceilings: Ceilings) -> Call:
        """Send the values to the worker, in as many pieces as are known to be needed."""
        most = ceilings.get(modality, values.num_rows)
        pieces = [values.slice(start, most) for start in range(0, values.num_rows, most)]
        return cls(modality, op, values, [op.submit(piece) for piece in pieces], ceilings)

    def result(self) -> Encoded:
        """The embeddings; a batch that fails is halved (see `transforms.blame`).

        Raises:
            ConfigError: with the encoder's YAML path.
            MemoryExceeded: not one of several values fits.
            WorkerDied: the worker is gone for good.
        """
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
        return pa.concat_batches([future.result() for future in self.futures])

    def _remember(self, verdict: Verdict) -> None:
        """Where all rows came through, but not at once, it was too many: the next batches are cut beforehand."""
        known = self.ceilings.get(self.modality, self.values.num_rows)
        if not verdict.guilty and verdict.fits < known:
            self.ceilings[self.modality] = verdict.fits
            _LOG.warning(
                "modalities.%s: %d values at once are too many for its worker; from now on at most %d",
                self.modality,
                known,
                verdict.fits,
            )

    def _encoded(self, verdict: Verdict) -> Encoded:
        name = emb_column(self.modality)
        failed = _flags(verdict.guilty, self.values.num_rows)
        if verdict.good is None:
            column = pa.nulls(len(failed), self.op.output_schema(self.values.schema).field(name).type)
        else:
            found = verdict.good.column(verdict.good.schema.get_field_index(name))
            # Position among the embeddings of those that have one; null for the others.
            column = found if not verdict.guilty else found.take(pa.array(np.cumsum(~failed) - 1, mask=failed))
        lost = valid_mask(self.values.column(0)) & ~valid_mask(column) & ~failed
        large = {row: failure for row, failure in verdict.guilty.items() if failure.fault is Fault.MEMORY}
        issues = concat_lists(
            _codes(f"{self.modality}.{NON_FINITE}", lost),
            _codes(f"{self.modality}.{TOO_LARGE}", _flags(large, self.values.num_rows)),
        )
        rest = {row: failure for row, failure in verdict.guilty.items() if row not in large}
        return Encoded(column, issues, rest)


@dataclass(frozen=True)
class Encoded:
    """One modality's embeddings, one for each row that was submitted."""

    column: pa.Array
    """Null where the value was masked, or has no embedding."""
    issues: pa.Array
    """list<string>: why a value that was there has none."""
    guilty: Mapping[int, Failure]
    """Rows that must not be published: their values make the encoder fail or kill its worker."""


@dataclass(frozen=True)
class Embedded:
    """A batch with its embeddings."""

    batch: pa.RecordBatch
    """With `emb_<modality>` for every modality (null where masked) and the encoders' issues."""
    guilty: Mapping[int, Failure]
    """Rows of it that must not be published."""


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
        batch, issues = self.batch, []
        guilty: dict[int, Failure] = {}
        for call in self.calls:
            encoded = call.result()
            batch = batch.append_column(emb_column(call.modality), encoded.column)
            issues.append(encoded.issues)
            guilty = {**encoded.guilty, **guilty}
        known = batch.column(batch.schema.get_field_index(ISSUES))
        return Embedded(set_column(batch, ISSUES, concat_lists(known, *issues).cast(ISSUES_TYPE)), guilty)


class Embed:
    """Sends each modality of a batch to its encoder's workers."""

    def __init__(self, ops: Mapping[str, RemoteOp]) -> None:
        self._ops = dict(ops)
        self._ceilings: Ceilings = {}

    def submit(self, batch: pa.RecordBatch) -> Pending:
        """Start encoding a cleaned batch and return at once."""
        calls = tuple(
            Call.submit(m, op, batch.select([clean_column(m)]), self._ceilings) for m, op in self._ops.items()
        )
        rest = [name for name in batch.schema.names if name not in map(clean_column, self._ops)]
        return Pending(batch.select(rest), calls, batch.nbytes)


def _flags(rows: Mapping[int, Failure], length: int) -> Bool:
    """`[length]`: True at the given rows."""
    flags = np.zeros(length, dtype=np.bool_)
    flags[list(rows)] = True
    return flags


def _codes(code: str, rows: Bool) -> pa.Array:
    """list<string> with the code where `rows` is True."""
    offsets = np.concatenate([[0], np.cumsum(rows)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array([code] * int(rows.sum()), pa.string()))
