"""Tests of repeated keys: the first in input order stays, whatever the cut and the order of arrival."""

from __future__ import annotations

import random
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.transforms.parquet_inputs import plan, write_folder
from transforms.key_hashes import key_hashes, usable_keys
from transforms.keys import _positions, _repeats, find_repeated_keys

KEYS = ["a", "b", None, "a", "", "c", "b", "a", "", None]
REPEATED = [3, 6, 7]  # the second and third "a", the second "b"; null and empty keys are not repeats


def folder_of(tmp_path: Path, keys: list[str | None]) -> Path:
    """One file of these keys in row groups of two."""
    table = pa.table({"id": pa.array(keys, pa.string()), "value": list(range(len(keys)))})
    return write_folder(tmp_path, {"a.parquet": table}, row_group_rows=2)


@pytest.mark.parametrize("unit_rows", [1, 2, 4, 100])
def test_later_rows_of_a_key_are_named(tmp_path: Path, unit_rows: int) -> None:
    """The same rows are named however the units are cut, and in whatever order their hashes arrive."""
    found = plan(folder_of(tmp_path, KEYS), unit_rows=unit_rows)
    blocks = [(u.id, _positions(u, pa.schema([("id", pa.string())])).tobytes()) for u in found.units]
    random.Random(7).shuffle(blocks)

    rows = [int(row) for _, repeated in _repeats(blocks) for row in repeated]

    assert sorted(rows) == REPEATED


@pytest.mark.beam
def test_the_shuffle_gives_the_same_as_one_process(tmp_path: Path) -> None:
    """Through a real pipeline, hashes of one key meet in one bucket."""
    found = plan(folder_of(tmp_path, KEYS), unit_rows=2)

    with TestPipeline() as pipeline:
        units = pipeline | beam.Create(found.units)
        rows = find_repeated_keys(units, found.schema, "id", found.rows) | beam.FlatMap(lambda item: item[1].tolist())
        assert_that(rows, equal_to(REPEATED))


def test_hashes_are_the_same_on_every_machine() -> None:
    """Known answers: a change here would silently change which machine calls what a repeat."""
    first = key_hashes(pa.array(["alpha", "beta"]))
    again = key_hashes(pa.array(["x", "alpha", "beta"]).slice(1))

    np.testing.assert_array_equal(first, again)
    assert len({int(v) for v in first.ravel()}) == 4


@pytest.mark.parametrize(
    "keys", [pa.array([1, 2, 1]), pa.array([b"\xff", b"\x00", b"\xff"]), pa.array(["1", "2", "1"])]
)
def test_numbers_bytes_and_strings_are_keys(keys: pa.Array) -> None:
    """Equal keys hash alike, different ones do not."""
    hashes = key_hashes(keys)

    assert (hashes[0] == hashes[2]).all()
    assert (hashes[0] != hashes[1]).any()


def test_look_alikes_are_different_keys() -> None:
    """Latin a, Cyrillic a, and a with a combining accent against its composed form: exact bytes decide."""
    hashes = key_hashes(pa.array(["a", "\u0430", "\u00e1", "a\u0301"]))

    assert len({tuple(h) for h in hashes.tolist()}) == 4


def test_null_and_empty_keys_are_not_usable() -> None:
    """They are reported as missing, never as repeated."""
    assert usable_keys(pa.array(["", None, "x"])).tolist() == [False, False, True]
    assert usable_keys(pa.array([0, None])).tolist() == [True, False]
