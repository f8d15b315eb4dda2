"""The product whose rows do not know where they stand, also where BLAS has kernels that tell rows apart."""

from __future__ import annotations

import numpy as np
import pytest

from models.arrow import BLOCK_ROWS, Float32, RowProduct

ROWS = 2 * BLOCK_ROWS + 6  # more than one block, and no multiple of it


def matrix(kind: str) -> Float32:
    """A full one, one of few columns, and one whose columns are mostly zeros."""
    rng = np.random.default_rng(1)
    if kind == "bands":
        found = np.zeros((200, 32), np.float32)
        for column in range(31):  # the last one is empty
            found[6 * column : 6 * column + 12, column] = rng.random(12)
        return found
    return rng.standard_normal({"full": (300, 40), "few": (257, 3)}[kind]).astype(np.float32)


KINDS = ("full", "few", "bands")


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_the_same_wherever_it_stands(kind: str) -> None:
    """In another order and in other batches every row keeps its bits."""
    rng, m = np.random.default_rng(0), matrix(kind)
    x = rng.standard_normal((ROWS, len(m))).astype(np.float32)
    order = rng.permutation(ROWS)

    product = RowProduct(m)
    whole = product(x)

    np.testing.assert_array_equal(product(x[order]), whole[order])
    np.testing.assert_array_equal(np.concatenate([product(x[i : i + 7]) for i in range(0, ROWS, 7)]), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_product(kind: str) -> None:
    """To what float32 sums of some hundred terms of size 1 can hold."""
    m = matrix(kind)
    x = np.random.default_rng(0).standard_normal((ROWS, len(m))).astype(np.float32)

    found = RowProduct(m)(x)

    assert found.dtype == np.float32
    # 300 additions, each off by at most 2^-24 of a sum below some 60: 300 · 60 · 6e-8 = 1e-3; in practice a tenth.
    np.testing.assert_allclose(found, x.astype(np.float64) @ m, rtol=0, atol=1e-4)
