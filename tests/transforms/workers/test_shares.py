"""How a batch is shared among replicas."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from transforms.workers.shares import LEAST_ROWS, part, shares, value_bytes


def texts(lengths: list[int]) -> pa.RecordBatch:
    """A batch of texts of these lengths."""
    return pa.RecordBatch.from_pydict({"text": ["x" * length for length in lengths]})


@pytest.mark.parametrize("most", [1, 2, 3, 8])
@pytest.mark.parametrize("rows", [0, 1, 31, 64, 100, 1000])
def test_every_row_is_in_one_share(rows: int, most: int) -> None:
    """No more shares than replicas, and none where few rows are sent."""
    lengths = np.random.default_rng(7).integers(0, 200, rows).tolist()

    found = shares(texts(lengths), most)

    assert sorted(np.concatenate(found)) == list(range(rows))
    assert len(found) <= max(1, min(most, rows // LEAST_ROWS))
    assert most == 1 or rows < 2 * LEAST_ROWS or len(found) > 1


def test_shares_hold_as_many_bytes_and_values_of_similar_length() -> None:
    """Of 1,000 texts, the longest third of all bytes goes to the first of three replicas."""
    lengths = np.random.default_rng(7).lognormal(5, 1, 1000).astype(int)

    found = [lengths[share] for share in shares(texts(lengths.tolist()), 3)]

    sums = [part.sum() for part in found]
    assert max(sums) < 1.1 * min(sums)
    assert found[0].min() >= found[1].max() >= found[1].min() >= found[2].max()


def test_one_value_that_outweighs_all_others_goes_alone() -> None:
    """And the others are not held up by it."""
    first, *others = shares(texts([10] * 99 + [1_000_000]), 3)

    assert first.tolist() == [99]
    assert sum(map(len, others)) == 99


def test_values_of_one_length_are_cut_without_copying() -> None:
    """Pictures of one size, say: each share is a stretch of the batch."""
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(400, dtype=np.uint8)), 4)
    batch = pa.RecordBatch.from_arrays([pixels], ["image"])

    parts = [part(batch, rows) for rows in shares(batch, 2)]

    assert [piece.num_rows for piece in parts] == [50, 50]
    assert pa.concat_batches(parts).equals(batch)
    assert parts[1].column(0).values.buffers()[1].address == pixels.values.buffers()[1].address


def test_a_share_that_is_no_stretch_is_taken_row_by_row() -> None:
    """In the share's order."""
    assert part(texts([1, 2, 3, 4]), np.array([3, 0, 1]))["text"].to_pylist() == ["xxxx", "x", "xx"]


def test_what_varies_in_length_counts() -> None:
    """Bytes of strings, items of lists; nothing for null and for numbers; one for the row."""
    batch = pa.RecordBatch.from_pydict(
        {"text": ["ab", None], "sound": pa.array([[1.0, 2.0, 3.0], []], pa.large_list(pa.float32())), "age": [1, 2]}
    )

    assert value_bytes(batch).tolist() == [6, 1]
