"""What must hold for every published row: types, no nulls, finite, masked, shares, decisions, keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from models.arrow import Bool, list_parts
from models.hashing import UInt64
from models.schema import (
    CREATED_TIMESTAMP,
    DIM_METADATA,
    EVENT_TIMESTAMP,
    FINGERPRINT,
    FUSED,
    ISSUES,
    action_column,
    emb_column,
    has_column,
    prob_column,
    share_column,
)
from transforms.key_hashes import key_hashes

_SHARES_TOLERANCE = 1e-5  # CONTRACT.md's tolerance for float32
_FIXED = frozenset({EVENT_TIMESTAMP, CREATED_TIMESTAMP, FUSED, ISSUES, FINGERPRINT})
_PREFIXES = tuple(f"{prefix}_" for prefix in ("has", "emb", "share", "score", "action", "prob", "value", "values"))
_SHARE = share_column("")


class RowChecks:
    """Checks batch after batch, keeping nothing of the rows but 16 bytes for each key.

    Args:
        key: the key's column; the first column if None.
        keep: columns that are passed through from the input; anything may stand there.
        actions: head that decides -> the actions that it knows.
    """

    def __init__(
        self, key: str | None, keep: Collection[str] = (), actions: Mapping[str, Collection[str]] | None = None
    ) -> None:
        self._key = key
        self._keep = frozenset(keep)
        self._actions = dict(actions or {})
        self._schema: pa.Schema | None = None
        self._hashes: list[UInt64] = []  # [n, 2] each

    def check_schema(self, path: Path, schema: pa.Schema) -> list[str]:
        """Whether a part has the schema of the parts before it."""
        schema = schema.remove_metadata()
        self._key = self._key or schema.names[0]
        self._schema = self._schema or schema
        if schema.equals(self._schema, check_metadata=True):
            return []
        return [f"{path} must have the schema of the other parts,\n{self._schema}\ngot\n{schema}"]

    def check(self, path: Path, batch: pa.RecordBatch) -> list[str]:
        """One sentence for each column of the batch that breaks a promise."""
        found = [sentence for name in batch.schema.names for sentence in self._check_column(batch, name)]
        found += _check_shares(batch)
        found += [s for head, actions in self._actions.items() for s in _check_decisions(batch, head, actions)]
        if self._key in batch.schema.names:
            keys = batch.column(batch.schema.get_field_index(self._key))
            self._hashes.append(key_hashes(keys.drop_null()))
        return [f"{path}: {sentence}" for sentence in found]

    def repeated_keys(self, folder: Path) -> list[str]:
        """One sentence if a key stands in more than one row of all batches."""
        if not self._hashes:
            return []
        hashes = np.concatenate(self._hashes)
        distinct = len(np.unique(np.ascontiguousarray(hashes).view([("high", "<u8"), ("low", "<u8")])))
        if distinct == len(hashes):
            return []
        return [f"{folder}: column {self._key!r} must hold each key once; got {len(hashes) - distinct} keys too many"]

    def _check_column(self, batch: pa.RecordBatch, name: str) -> list[str]:
        if name in self._keep or not (name == self._key or name in _FIXED or name.startswith(_PREFIXES)):
            return []
        column, field = batch.column(batch.schema.get_field_index(name)), batch.schema.field(name)
        if column.null_count:
            return [f"column {name!r} must hold no nulls; got {column.null_count}"]
        found = []
        if name != self._key and not _all_finite(column):
            found.append(f"column {name!r} must hold finite numbers; got NaN or infinity")
        if DIM_METADATA in (field.metadata or {}):
            found += _check_lists(batch, name, int(field.metadata[DIM_METADATA]))
        return found


def _check_lists(batch: pa.RecordBatch, name: str, dim: int) -> list[str]:
    """Every list `dim` long; zeros where the mask of the modality is false."""
    values, offsets = list_parts(batch.column(batch.schema.get_field_index(name)))
    lengths = np.diff(offsets)
    if (lengths != dim).any():
        return [f"column {name!r} must hold lists of length {dim}; got {lengths.min()} to {lengths.max()}"]
    mask = _mask_of(batch, name)
    matrix = values.to_numpy(zero_copy_only=False).reshape(-1, dim)  # [n, dim]
    if mask is not None and matrix[~mask].any():
        return [f"column {name!r} must be zero where its mask is false; got other numbers"]
    return []


def _mask_of(batch: pa.RecordBatch, name: str) -> Bool | None:
    prefix = emb_column("")
    index = batch.schema.get_field_index(has_column(name.removeprefix(prefix))) if name.startswith(prefix) else -1
    return None if index < 0 else np.asarray(batch.column(index).to_numpy(zero_copy_only=False), np.bool_)


def _check_shares(batch: pa.RecordBatch) -> list[str]:
    names = [name for name in batch.schema.names if name.startswith(_SHARE)]
    if not names or batch.num_rows == 0:
        return []
    columns = [batch.column(batch.schema.get_field_index(name)).to_numpy(zero_copy_only=False) for name in names]
    sums: npt.NDArray[np.float64] = np.stack(columns).astype(np.float64).sum(axis=0)  # [n]
    wrong = sums[~(np.abs(sums - 1) <= _SHARES_TOLERANCE)]  # so written that NaN is wrong too
    if len(wrong) == 0:
        return []
    return [f"columns {names} must sum to 1 in every row; got {wrong[0]:.6g}, and {len(wrong)} such rows"]


def _check_decisions(batch: pa.RecordBatch, head: str, actions: Collection[str]) -> list[str]:
    """Every action known, with the probability with which it was drawn; none, with 0, where nothing was allowed."""
    names = [action_column(head), prob_column(head)]
    if missing := [name for name in names if name not in batch.schema.names]:
        return [f"column {missing[0]!r} must be there, since a policy decided; got {batch.schema.names}"]
    action, prob = (batch.column(batch.schema.get_field_index(name)) for name in names)
    found = []
    unknown = action.filter(pc.invert(pc.is_in(action, value_set=pa.array([*actions, ""], pa.string()))))
    if len(unknown):
        known = ", ".join(actions)
        found.append(f"column {names[0]!r} must hold one of {known}, or '' for none; got {unknown[0].as_py()!r}")
    chance = prob.to_numpy(zero_copy_only=False)
    acted = pc.not_equal(action, "").fill_null(True).to_numpy(zero_copy_only=False)
    wrong = chance[np.where(acted, ~((chance > 0) & (chance <= 1)), chance != 0)]  # so written that NaN is wrong too
    if len(wrong):
        found.append(
            f"column {names[1]!r} must be above 0 and at most 1, and 0 where there is no action; got {wrong[0]:.6g}, "
            f"and {len(wrong)} such rows"
        )
    return found


def _all_finite(column: pa.Array) -> bool:
    if pt.is_list(column.type):
        column, _ = list_parts(column)
    if column.null_count or not pt.is_floating(column.type):
        return column.null_count == 0  # type: ignore[no-any-return]  # pyarrow ships no types
    return bool(pc.all(pc.is_finite(column), min_count=0).as_py())
