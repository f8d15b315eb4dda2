"""Seeded streams."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.streams import Stream, generator, normals


def test_same_numbers_same_draws() -> None:
    """A generator is determined by seed, stream and numbers."""
    assert generator(1, Stream.MEDIA, 2, 3).random() == generator(1, Stream.MEDIA, 2, 3).random()


def test_neighbouring_streams_differ() -> None:
    """Another seed, stream or number gives other draws."""
    first = {generator(*key).random() for key in [(0, Stream.MEDIA, 1, 2), (1, Stream.MEDIA, 1, 2)]}
    others = {generator(0, Stream.MEDIA + 1, 1, 2).random(), generator(0, Stream.MEDIA, 2, 1).random()}
    assert len(first | others) == 4


def test_rows_are_independent_of_each_other() -> None:
    """Row i of a table of normals comes from its own key alone, and rows are uncorrelated."""
    keys = np.arange(2_000)[:, None]
    table = normals(0, Stream.TRAITS, keys, 4)
    np.testing.assert_array_equal(table[100:105], normals(0, Stream.TRAITS, keys[100:105], 4))
    assert abs(np.corrcoef(table[:-1, 0], table[1:, 0])[0, 1]) < 4 / np.sqrt(2_000)
