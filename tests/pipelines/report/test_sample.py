"""Tests of the report's sample: bounded, repeatable, and fair over the whole partition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.heads.classifier import CLASSES_METADATA
from pipelines.report.sample import RUNS, read_sample, spans
from tests.pipelines.report.published import rows, write


def numbered(n: int) -> pa.Table:
    """A table whose fused vectors hold the row's number."""
    return rows(n, fused=np.repeat(np.arange(n, dtype=np.float32)[:, None], 2, axis=1))


def test_a_small_partition_is_taken_whole(tmp_path: Path) -> None:
    """Up to the asked number of rows, every row is there, in order, over parts and row groups."""
    sample = read_sample(write(numbered(250), tmp_path, parts=3, row_group=40), 250)
    assert sample.fused[:, 0].tolist() == list(range(250))


def test_a_large_partition_is_sampled_over_its_whole_length(tmp_path: Path) -> None:
    """RUNS runs of neighbouring rows start evenly spaced, whatever parts and row groups lie below."""
    sample = read_sample(write(numbered(6400), tmp_path, parts=3, row_group=70), 128)
    # 64 runs of 128 / 64 = 2 rows, a hundred rows apart.
    assert sample.fused[:, 0].tolist() == [start + i for start in range(0, 6400, 100) for i in (0, 1)]
    assert sample.total_rows == 6400


@pytest.mark.parametrize(("total", "wanted"), [(0, 10), (1, 10), (10, 10), (11, 10), (1000, 7), (99_999, 5000)])
def test_spans_stay_inside_and_apart(total: int, wanted: int) -> None:
    """Spans hold at most the wanted rows, in order, without overlap, within the partition."""
    found = spans(total, wanted)
    edges = [edge for span in found for edge in span]
    assert edges == sorted(edges)
    assert sum(stop - start for start, stop in found) <= min(total, wanted)
    assert len(found) <= RUNS
    assert not edges or (edges[0] >= 0 and edges[-1] <= total)


def test_an_empty_folder_is_an_empty_sample(tmp_path: Path) -> None:
    """A night without parts has nothing to draw."""
    sample = read_sample(tmp_path, 10)
    assert (sample.rows, sample.total_rows, sample.has, sample.scores) == (0, 0, {}, {})


def test_parts_without_rows_keep_their_columns(tmp_path: Path) -> None:
    """A night without published rows still knows its modalities."""
    sample = read_sample(write(rows(0), tmp_path, parts=1), 10)
    assert (sample.rows, list(sample.has), sample.fused.shape) == (0, ["photo", "review"], (0, 8))


def test_list_scores_are_matrices(tmp_path: Path) -> None:
    """A head with one score per class gives [n, K], a scalar one [n, 1]."""
    sample = read_sample(write(rows(30, heads={"churn": 1, "segment": 3}), tmp_path), 30)
    assert {name: scores.shape for name, scores in sample.scores.items()} == {"churn": (30, 1), "segment": (30, 3)}


def test_columns_of_the_user_are_not_taken_for_our_own(tmp_path: Path) -> None:
    """A kept column whose name only looks like ours, but whose type does not, is left alone."""
    table = rows(5).append_column("score_note", pa.array(["x"] * 5)).append_column("has_car", pa.array([1] * 5))
    sample = read_sample(write(table, tmp_path), 5)
    assert (list(sample.scores), list(sample.has)) == (["churn"], ["photo", "review"])


def test_class_names_come_from_the_column(tmp_path: Path) -> None:
    """The classes that a classifier wrote beside its scores name them; without them they are numbered."""
    table = rows(4, heads={"segment": 2, "other": 2})
    index = table.schema.get_field_index("score_segment")
    named = table.schema.field(index).with_metadata(
        {**table.schema.field(index).metadata, CLASSES_METADATA: json.dumps(["gold", "iron"]).encode()}
    )
    table = table.cast(table.schema.set(index, named))
    sample = read_sample(write(table, tmp_path), 4)
    assert (sample.class_name("segment", 1), sample.class_name("other", 1)) == ("iron", "class 1")


def test_a_damaged_page_is_noticed(tmp_path: Path) -> None:
    """A flipped bit in a column's data fails its checksum."""
    write(rows(100), tmp_path, parts=1)
    file = tmp_path / "part-000.parquet"
    schema = pq.read_schema(file)
    column = pq.read_metadata(file).row_group(0).column(schema.names.index("fused"))
    data = bytearray(file.read_bytes())
    data[column.dictionary_page_offset + column.total_compressed_size // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(OSError, match="CRC"):
        read_sample(tmp_path, 100)
