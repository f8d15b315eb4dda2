"""Tests of how long values are cut into pieces, pieces into batches, and embeddings of pieces averaged."""

from __future__ import annotations

import numpy as np
import pytest

from models.pieces import cut_by_cost, mean_of_pieces, windows


def test_batches_are_cut_by_their_padded_size() -> None:
    """Longest first, ties in order, each batch's rows times its longest within the budget, a long row alone."""
    batches = cut_by_cost(np.array([3, 9, 2, 3, 30, 1]), budget=10)

    # 30 alone; 9 alone; 3·3 = 9 holds three rows: 0, 3 and 2; then 1.
    assert [batch.tolist() for batch in batches] == [[4], [1], [0, 3, 2], [5]]


def test_no_rows_need_no_batches() -> None:
    """An empty call does nothing."""
    assert cut_by_cost(np.array([], dtype=np.int64), 10) == []


def test_batches_hold_so_many_rows_at_most() -> None:
    """The number of rows is bounded beside their size."""
    batches = cut_by_cost(np.array([1, 1, 1, 5, 1]), budget=100, max_rows=2)

    assert [batch.tolist() for batch in batches] == [[3, 0], [1, 2], [4]]


@pytest.mark.parametrize(
    ("size", "only_first", "expected"),
    [
        (4, False, [(0, 4, 0), (4, 8, 0), (8, 9, 0), (0, 0, 1), (0, 4, 2)]),
        (4, True, [(0, 4, 0), (0, 0, 1), (0, 4, 2)]),
        (None, False, [(0, 9, 0), (0, 0, 1), (0, 4, 2)]),
    ],
)
def test_values_are_cut_into_windows(size: int | None, only_first: bool, expected: list[tuple[int, int, int]]) -> None:
    """Consecutive windows, the last one shorter; a full one is not followed by an empty one; nothing is one window."""
    parts = windows(np.array([9, 0, 4]), size, only_first=only_first)

    assert list(zip(*(part.tolist() for part in parts), strict=True)) == expected


def test_no_values_have_no_windows() -> None:
    """An empty call does nothing."""
    parts = windows(np.zeros(0, np.int64), 4, only_first=False)

    assert [len(part) for part in parts] == [0, 0, 0]
    assert mean_of_pieces(np.zeros((0, 3), np.float32), parts.owners, parts.stops, normalize=True).shape == (0, 3)


def test_pieces_count_by_their_weights() -> None:
    """(1·3 + 5·1) / 4 = 2, and a value of one piece keeps its bits, whatever its weight."""
    third = np.float32(1) / np.float32(3)
    embeddings = np.array([[1, 0], [5, 4], [third, 7]], dtype=np.float32)

    mean = mean_of_pieces(embeddings, np.array([0, 0, 1]), np.array([3, 1, 7]), normalize=False)

    assert mean.dtype == np.float32
    assert mean.tolist() == [[2, 1], [float(third), 7]]


def test_the_mean_is_normalized_and_not_the_pieces() -> None:
    """The mean of (6, 0) and (0, 8) is (3, 4), of length 5; nothing is not divided by its length."""
    embeddings = np.array([[6, 0], [0, 8], [0, 0]], dtype=np.float32)

    mean = mean_of_pieces(embeddings, np.array([0, 0, 1]), np.array([1, 1, 1]), normalize=True)

    assert mean.tolist() == [pytest.approx([0.6, 0.8]), [0, 0]]
