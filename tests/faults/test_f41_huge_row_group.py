"""F41: more than 2 GiB of image bytes in one row group."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.measured import run_measured

IMAGE_BYTES = 4 << 20
IMAGES = 560  # 2.19 GiB
BATCH_BYTES = 32 << 20
GROWTH = 8 * BATCH_BYTES
"""Bytes that reading may take: a step, a batch, and their copies as one is cast and put together with others."""
READ = """
import json, sys
from transforms.read import read_unit
from transforms.units import plan_input

found = plan_input(sys.argv[1], ["id", "photo"], 5000, 1 << 31)
before = peak()
keys, sizes, kinds = [], [], set()
for unit in found.units:
    for batch in read_unit(unit, found.schema, batch_rows=128, batch_bytes=int(sys.argv[2])):
        keys += batch.column("id").to_pylist()
        sizes.append(batch.nbytes)
        kinds.add(str(batch.schema.field("photo").type))
told = {"units": len(found.units), "keys": keys, "largest": max(sizes), "kinds": sorted(kinds)}
print(json.dumps({**told, "growth": peak() - before}))
"""


def as_binary(photos: pa.Array) -> pa.Array:
    """As they are."""
    return photos


def as_large_binary(photos: pa.Array) -> pa.Array:
    """With offsets of 64 bits."""
    return photos.cast(pa.large_binary())


def as_struct(photos: pa.Array) -> pa.Array:
    """As Hugging Face `datasets` writes them."""
    paths = pa.nulls(len(photos), pa.string())
    return pa.StructArray.from_arrays([photos, paths], ["bytes", "path"])


def write_row_group(path: Path, sizes: list[int], kind: Callable[[pa.Array], pa.Array], dictionary: bool) -> None:
    """One row group with photos of these sizes; those of the same size are the same, and are in memory once."""
    noise = np.random.default_rng(41).bytes(1 << 16)
    photos = {size: kind(pa.array([(noise * (size // len(noise) + 1))[:size]], pa.binary())) for size in set(sizes)}
    keys = pa.array([f"k{number}" for number in range(len(sizes))])
    table = pa.table({"id": keys, "photo": pa.chunked_array([photos[size] for size in sizes])})
    options = {"compression": "zstd", "use_dictionary": ["photo"] if dictionary else False}
    pq.write_table(table, path, row_group_size=len(sizes), dictionary_pagesize_limit=1 << 28, **options)
    assert pq.read_metadata(path).num_row_groups == 1


@pytest.mark.parametrize("kind", [as_binary, as_large_binary, as_struct])
def test_it_is_read_in_bounded_batches(tmp_path: Path, kind: Callable[[pa.Array], pa.Array]) -> None:
    """Every row once and in order, as plain types with 32-bit offsets, in batches of 32 MiB, in little memory."""
    write_row_group(tmp_path / "a.parquet", [IMAGE_BYTES] * IMAGES, kind, dictionary=False)
    assert pq.read_metadata(tmp_path / "a.parquet").row_group(0).total_byte_size > 1 << 31

    told = run_measured(READ, tmp_path, BATCH_BYTES)

    assert told["units"] == 2  # of at most 2 GiB
    assert told["keys"] == [f"k{i}" for i in range(IMAGES)]
    assert told["kinds"] == ["struct<bytes: binary, path: string>" if kind is as_struct else "binary"]
    assert told["largest"] <= BATCH_BYTES
    assert told["growth"] < GROWTH


def test_the_same_photo_500_times_in_a_dictionary(tmp_path: Path) -> None:
    """4 MiB in the file, 2 GiB once it is unpacked: the row group's footer speaks of the 4 only."""
    write_row_group(tmp_path / "a.parquet", [IMAGE_BYTES] * 500, as_binary, dictionary=True)
    assert pq.read_metadata(tmp_path / "a.parquet").row_group(0).total_byte_size < 2 * IMAGE_BYTES

    told = run_measured(READ, tmp_path, BATCH_BYTES)

    assert len(told["keys"]) == 500
    assert told["largest"] <= BATCH_BYTES
    assert told["growth"] < 2 * GROWTH  # a step of 16 rows has two batches' bytes


def test_one_photo_of_100_mb_among_small_ones(tmp_path: Path) -> None:
    """It stands in a batch of its own; those around it are cut as ever."""
    write_row_group(tmp_path / "a.parquet", [1000] * 300 + [100_000_000] + [1000] * 300, as_binary, dictionary=False)

    told = run_measured(READ, tmp_path, BATCH_BYTES)

    assert told["keys"] == [f"k{i}" for i in range(601)]
    assert 100_000_000 <= told["largest"] < 101_000_000
    assert told["growth"] < 4 * 100_000_000  # packed and unpacked page, the cell, the batch
