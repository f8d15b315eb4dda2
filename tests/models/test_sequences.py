"""Tests of sequences: padding, cutting, and lengths that are rounded up by themselves."""

from __future__ import annotations

import numpy as np

from models.sequences import LADDER, Sequences, rounded_up

THREE = Sequences(np.array([[1], [2], [3], [4], [5], [6]], np.uint8), np.array([0, 3, 3, 6]))


def test_values_are_filled_up_with_zeros() -> None:
    """Also one without steps; the type stays."""
    padded = THREE.padded(np.array([2, 1]), 4)

    assert padded.dtype == np.uint8
    assert padded[..., 0].tolist() == [[4, 5, 6, 0], [0, 0, 0, 0]]


def test_what_is_longer_is_cut() -> None:
    """The first steps are kept."""
    assert THREE.padded(np.array([0]), 2)[..., 0].tolist() == [[1, 2]]


def test_rows_are_values_of_one_step() -> None:
    """As pictures and tables have them."""
    rows = Sequences.of_one_step(np.arange(6).reshape(3, 2))

    assert len(rows) == 3
    assert rows.lengths.tolist() == [1, 1, 1]
    assert rows.padded(np.array([1]), 1).tolist() == [[[2, 3]]]


def test_lengths_are_rounded_up_to_the_next_rung() -> None:
    """0 and 1 to 1, then 16, 24, 32, 48, 64 …"""
    assert rounded_up(np.array([0, 1, 2, 16, 17, 25, 33, 49, 1000])).tolist() == [1, 1, 16, 16, 24, 32, 48, 64, 1024]


def test_at_most_a_third_of_a_longer_value_is_padding() -> None:
    """17 of 24 and 25 of 32 are filled at worst: rungs stand in the ratios 3/2 and 4/3, less one step."""
    lengths = np.arange(16, 5000)

    assert (lengths / rounded_up(lengths)).min() > 2 / 3
    assert (np.diff(LADDER) > 0).all()
