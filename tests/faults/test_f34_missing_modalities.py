"""F34: missing modalities, in each of the 31 combinations that leave one."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from models.schema import FUSED, emb_column, has_column, share_column
from tests.e2e.retail import DATE, KEY, MODALITIES, Shop
from tests.faults.oracle import assert_sound

pytestmark = pytest.mark.beam

COMBINATIONS = [kept for kept in product((True, False), repeat=len(MODALITIES)) if any(kept)]
"""Which of MODALITIES a row has; all of them in the first."""
TOLERANCE = 1e-6
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def night_of_gaps(shop: Shop, folder: Path) -> Path:
    """31 rows that had all modalities, without those that the combination of their number lacks."""
    folder.mkdir()
    night = pa.concat_tables(
        [pq.read_table(path) for path in sorted((shop.folder / "data" / f"date={DATE}").glob("*"))]
    )
    specs = shop.load(folder).modalities
    columns = {name: specs[name].spec.input_columns() for name in MODALITIES}
    whole = night.filter([all(row[c] is not None for cs in columns.values() for c in cs) for row in night.to_pylist()])
    table = whole.slice(0, len(COMBINATIONS))
    for index, name in enumerate(MODALITIES):
        kept = pa.array([combination[index] for combination in COMBINATIONS])
        for column in columns[name]:
            place, values = table.column_names.index(column), table[column].combine_chunks()
            nulls = pa.nulls(len(values), values.type)
            chosen = pa.concat_arrays([values, nulls]).take(
                pa.array([row if keep else row + len(values) for row, keep in enumerate(kept.to_pylist())])
            )
            table = table.set_column(place, table.field(place), chosen)
    pq.write_table(table, folder / "00.parquet", write_page_checksum=True)
    return folder


def fused(weights: dict[str, npt.NDArray[np.float32]], x: dict[str, Float64], mask: Bool) -> tuple[Float64, Float64]:
    """The weighted sum, from its definition and the weights that training left.

    h_m = W_m clip((x_m - mean_m) / std_m, ±8) + b_m; shares a_m = w_m / Σ w over the modalities present; z = Σ a_m h_m.

    Returns:
        z `[n, F]` and the shares `[n, M]`.
    """
    w = np.exp(weights["log_weights"].astype(np.float64)) * mask  # [n, M]
    shares = w / w.sum(axis=1, keepdims=True)
    z = np.zeros((len(mask), len(weights["projections.linears.0.bias"])))
    for m, name in enumerate(MODALITIES):
        parts = {k: weights[f"projections.{k}"].astype(np.float64) for k in (f"mean_{m}", f"std_{m}")}
        matrix, bias = (weights[f"projections.linears.{m}.{k}"].astype(np.float64) for k in ("weight", "bias"))
        h = ((x[name] - parts[f"mean_{m}"]) / parts[f"std_{m}"]).clip(-8, 8) @ matrix.T + bias  # [n, F]
        z += shares[:, m : m + 1] * h
    return z, shares


def matrix(column: pa.ChunkedArray) -> Float64:
    """`[n, d]` of a column of lists."""
    return np.array(column.to_pylist(), dtype=np.float64)


def test_every_combination_is_fused_from_what_is_there(shop: Shop, tmp_path: Path) -> None:
    """Masks are stored, shares sum to 1, absent ones are 0, and the vector is the reference's, whatever is missing."""
    inputs, out = night_of_gaps(shop, tmp_path / "input"), tmp_path / "out"
    keys = pq.read_table(inputs / "00.parquet")[KEY].to_pylist()

    shop.run(out, f"input.path={inputs}")

    features = sorted((out / "features" / f"date={DATE}").glob("*.parquet"))
    rows = pa.concat_tables([pq.ParquetFile(path).read() for path in features])
    assert rows[KEY].to_pylist() == keys
    mask = np.stack([rows[has_column(name)].to_numpy() for name in MODALITIES], axis=1).astype(bool)  # [n, M]
    assert [tuple(row) for row in mask.tolist()] == COMBINATIONS
    shares = np.stack([rows[share_column(name)].to_numpy() for name in MODALITIES], axis=1)  # [n, M]
    assert np.abs(shares.sum(axis=1) - 1).max() < TOLERANCE
    assert not shares[~mask].any()
    weights = load_file(shop.load(out).artifacts / "fusion" / "model.safetensors")
    z, reference = fused(weights, {name: matrix(rows[emb_column(name)]) for name in MODALITIES}, mask)
    assert np.abs(shares - reference).max() < TOLERANCE
    # Relative to the vector's size, since float32 has 24 bits: a coordinate of 30 is known to 2e-6 at best.
    assert np.abs(matrix(rows[FUSED]) - z).max() < TOLERANCE * max(1.0, np.abs(z).max())
    assert_sound(out, inputs, key=KEY)
