"""Between Arrow and numpy: embeddings, flat lists, scatter and gather around nulls; no copies where possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Float32: TypeAlias = npt.NDArray[np.float32]
Bool: TypeAlias = npt.NDArray[np.bool_]
Int64: TypeAlias = npt.NDArray[np.int64]

BLOCK_ROWS = 64  # rows of one matrix product in `rowwise`: a multiple of every BLAS kernel's row tile


def from_numpy(matrix: npt.NDArray[np.generic], valid: Bool | None = None) -> pa.FixedSizeListArray:
    """`[n, d]` of any number type as a fixed-size list array, without a copy; rows where `valid` is False are null."""
    if matrix.ndim != 2:
        raise ValueError(f"matrix must be [n, d]; got shape {matrix.shape}")
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    mask = None if valid is None else pa.array(~valid)
    if len(matrix) == 0:
        return pa.array([], type=pa.list_(flat.type, matrix.shape[1]))
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1], mask=mask)


def to_numpy(array: pa.Array) -> npt.NDArray[np.generic]:
    """`[n, d]` view of a fixed-size list array; null rows hold unspecified finite or non-finite values."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    width = array.type.list_size
    # `.values` ignores the slice's offset (while `.flatten()` would drop null rows), hence the explicit slice.
    values = array.values.slice(array.offset * width, len(array) * width)
    flat: npt.NDArray[np.generic] = values.to_numpy(zero_copy_only=False)
    return flat.reshape(len(array), width)


def valid_mask(array: pa.Array) -> Bool:
    """`[n]` bool: where the array is not null."""
    mask: Bool = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def list_parts(array: pa.Array) -> tuple[pa.Array, Int64]:
    """Values and `[n + 1]` int64 offsets of a list or string-like list array, both starting at 0 also for slices."""
    offsets = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
    return array.values.slice(first, last - first), offsets - first


def concat_lists(*columns: pa.Array) -> pa.Array:
    """Row by row, the lists of several list arrays one behind the other; null lists count as empty."""
    rows = len(columns[0])
    parts = [list_parts(c) for c in columns]
    lengths = np.stack([np.diff(offsets) for _, offsets in parts])  # [columns, n]
    owner = np.concatenate([np.repeat(np.arange(rows), row) for row in lengths])
    order = np.argsort(owner, kind="stable")
    values = pa.concat_arrays([v for v, _ in parts]).take(pa.array(order))
    offsets = np.concatenate([[0], np.cumsum(lengths.sum(axis=0))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def scatter(rows: Float32, valid: Bool) -> Float32:
    """`[k, d]` results of the k valid rows, put back to `[n, d]`; the other rows are zero."""
    if valid.all():
        return rows
    out = np.zeros((len(valid), rows.shape[1]), dtype=np.float32)
    out[valid] = rows
    return out


def rowwise(function: Callable[[Float32], Float32], x: Float32, out_dim: int) -> Float32:
    """`function(x)`, computed in zero-padded blocks of exactly BLOCK_ROWS rows.

    A matrix product may round a row differently when the number of rows around it changes (other kernels, other
    edges). With the shape of every call fixed, row i of the result depends on row i of `x` alone, bit by bit,
    whatever batch it came in.

    Args:
        function: maps float32 `[BLOCK_ROWS, k]` to `[BLOCK_ROWS, out_dim]`, each row for itself.
        x: `[n, k]` float32.
        out_dim: width of the result.

    Returns:
        `[n, out_dim]` float32.
    """
    out = np.empty((len(x), out_dim), dtype=np.float32)
    block = np.zeros((BLOCK_ROWS, x.shape[1]), dtype=np.float32)
    for start in range(0, len(x), BLOCK_ROWS):
        rows = min(BLOCK_ROWS, len(x) - start)
        block[:rows] = x[start : start + rows]
        block[rows:] = 0
        out[start : start + rows] = function(block)[:rows]
    return out


SPARSE = 4  # a matrix with fewer entries than 1 in 4 between the ends of its columns is taken column by column
FEW_COLUMNS = 16  # so is one that has few: einsum's inner loop runs over them


class RowProduct:
    """`x @ matrix`, row i from row i of `x` alone, bit by bit, wherever it stands.

    Not by BLAS: the kernels that OpenBLAS has for CPUs with AVX2 (Haswell, Zen) add the products of some rows of a
    block in another order than those of others. einsum's loops treat all rows alike. Of 1,764 numbers to 256 a row took
    43 µs of one core instead of 8; a column that is mostly zeros costs its other entries only.
    """

    def __init__(self, matrix: Float32) -> None:
        """Look at a matrix `[k, d]` float32 once."""
        self._matrix = matrix
        self._spans = [_span(column) for column in matrix.T]
        filled = sum(stop - start for start, stop in self._spans)
        self._by_columns = filled * SPARSE < matrix.size or matrix.shape[1] <= FEW_COLUMNS
        pieces = enumerate(self._spans) if self._by_columns else ()
        self._columns = [np.ascontiguousarray(matrix[a:b, i]) for i, (a, b) in pieces]

    def __call__(self, x: Float32) -> Float32:
        """`[n, k]` float32 to `[n, d]`."""
        return rowwise(self._block, x, self._matrix.shape[1])

    def _block(self, block: Float32) -> Float32:
        if not self._by_columns:
            whole: Float32 = np.einsum("ij,jk->ik", block, self._matrix)
            return whole
        columns = zip(self._columns, self._spans, strict=True)
        return np.stack([np.einsum("ij,j->i", block[:, a:b], column) for column, (a, b) in columns], axis=1)


def _span(column: Float32) -> tuple[int, int]:
    """From the first to behind the last entry that is not zero."""
    filled = np.flatnonzero(column)
    return (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, 0)


def combined(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    array = column.combine_chunks()
    return array if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)


def set_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """The batch with column `name` added at the end, or replaced where it stands."""
    index = batch.schema.get_field_index(name)
    field = pa.field(name, values.type)
    return batch.append_column(field, values) if index < 0 else batch.set_column(index, field, values)
