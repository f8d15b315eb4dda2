"""Embedded history as tensors, and the split that keeps groups whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from models.errors import ConfigError, CorruptArtifact, SchemaRefused
from models.learn.data import read_examples, split_by_group
from models.learn.split import group_positions
from tests.models.samples import DIMS, examples, to_table

LABELS = ("churned", "spend")


def test_a_table_is_read_back() -> None:
    """Embeddings, masks, labels and groups come back as they were."""
    rows = examples(50)
    read = read_examples(to_table(rows), DIMS, LABELS, "customer")
    assert torch.equal(read.x, rows.x)
    assert torch.equal(read.mask, rows.mask)
    assert read.labels["spend"].equals(rows.labels["spend"])
    assert read.groups.equals(rows.groups)


def test_published_files_are_read_like_those_of_a_run(tmp_path: Path) -> None:
    """Plain lists with zeros and `has_<m>` = false mean the same as nulls, over several files."""
    rows = examples(50)
    table = to_table(rows)
    for index, (modality, width) in enumerate(DIMS.items()):
        flat = pa.array(rows.x[:, index, :width].reshape(-1).numpy())
        lists = pa.ListArray.from_arrays(np.arange(0, 50 * width + 1, width, dtype=np.int32), flat)
        table = table.set_column(table.schema.get_field_index(f"emb_{modality}"), f"emb_{modality}", lists)
        table = table.append_column(f"has_{modality}", pa.array(rows.mask[:, index].numpy()))
    pq.write_table(table.slice(0, 20), tmp_path / "a.parquet")
    pq.write_table(table.slice(20), tmp_path / "b.parquet")
    read = read_examples(tmp_path, DIMS, LABELS, "customer")
    assert torch.equal(read.x, rows.x)
    assert torch.equal(read.mask, rows.mask)


def test_a_damaged_page_is_not_learned_from(tmp_path: Path) -> None:
    """One bit in the vectors: they would decode to other numbers without a word."""
    path = tmp_path / "a.parquet"
    pq.write_table(to_table(examples(50)), path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)

    with pytest.raises(CorruptArtifact, match="the embedded history must be readable"):
        read_examples(tmp_path, DIMS, LABELS, "customer")


def test_rows_without_any_modality_are_left_out() -> None:
    """There is nothing to fuse in them."""
    rows = examples(3, absent=0)
    rows.mask[1] = False
    read = read_examples(to_table(rows), DIMS, LABELS, "customer")
    assert read.groups.to_pylist() == ["customer 0", "customer 2"]


def test_a_missing_column_is_named() -> None:
    """The error says which column the history lacks."""
    with pytest.raises(SchemaRefused, match="must have the columns emb_photo, churned"):
        read_examples(to_table(examples(3)).drop(["emb_photo", "churned"]), DIMS, LABELS, "customer")


@pytest.mark.parametrize("fixed", [True, False])
def test_another_width_is_refused(fixed: bool) -> None:
    """Embeddings of another encoder do not slip in, whether their type says their width or not."""
    table = to_table(examples(3, absent=0))
    if not fixed:
        index = table.schema.get_field_index("emb_photo")
        table = table.set_column(index, "emb_photo", table.column(index).cast(pa.list_(pa.float32())))
    with pytest.raises(SchemaRefused, match="emb_photo must hold lists of 7 numbers"):
        read_examples(table, {**DIMS, "photo": 7}, LABELS, "customer")


def test_no_group_stands_in_two_parts() -> None:
    """Rows of one customer fall into one part, and every row into some part."""
    rows = examples(600, per_group=3)
    split = split_by_group(rows, 0.2, 0.15, seed=0)
    parts = [set(part.groups.to_pylist()) for part in (split.train, split.validation, split.held_out)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 200
    assert len(split.train) + len(split.validation) + len(split.held_out) == 600


def test_parts_have_the_stated_sizes() -> None:
    """20 % of 5,000 groups are held out, 15 % of the rest are for validation."""
    split = split_by_group(examples(5000), 0.2, 0.15, seed=0)
    assert len(split.held_out) == pytest.approx(1000, abs=100)
    assert len(split.validation) == pytest.approx(600, abs=100)


def test_a_groups_place_is_fixed_for_all_time() -> None:
    """The hash depends on nothing but salt and value: BLAKE2b, first 8 bytes, as a fraction of 2⁶⁴."""
    # hashlib.blake2b(b"customer 1", digest_size=8, key=b"held out 0"), computed once and written down
    place = group_positions(pa.array(["customer 1", None, "customer 1"]), "held out 0")
    assert place[0] == place[2] == pytest.approx(0.6306480840158867)
    assert place[1] != place[0]


def test_an_empty_part_is_refused() -> None:
    """One group cannot be split; the error says which part got nothing."""
    with pytest.raises(
        ConfigError, match=r"part of the history must have at least one row; got 0 of 5 rows in 1 groups"
    ):
        split_by_group(examples(5, per_group=5), 0.2, 0.15, seed=0)


def test_one_modality_alone_keeps_rows_and_width() -> None:
    """`only` keeps all rows, with the modality's own width and mask."""
    rows = examples(20)
    review = rows.only("review")
    assert review.x.shape == (20, 1, 4)
    assert torch.equal(review.mask[:, 0], rows.mask[:, 1])
    assert review.present().tolist() == rows.mask[:, 1].nonzero().squeeze(1).tolist()


def test_patterns_name_what_rows_have() -> None:
    """Most frequent first; every row is in one."""
    rows = examples(200, absent=0.3)
    patterns = rows.patterns()
    complete = rows.mask.all(dim=1).numpy()
    assert patterns["photo+review+visits"].tolist() == complete.tolist()
    counts = [where.sum() for where in patterns.values()]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == 200
    assert patterns["photo"].tolist() == (rows.mask.numpy() == [True, False, False]).all(axis=1).tolist()
