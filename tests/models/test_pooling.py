"""Tests of pooling: only what is no padding counts, and sums are taken in float32."""

from __future__ import annotations

import pytest
import torch

from models.pooling import pool, shortened

NAN = float("nan")
STATES = torch.tensor([[[1.0], [2.0], [6.0]], [[4.0], [8.0], [NAN]], [[NAN], [5.0], [7.0]]])  # [3, 3, 1]
MASK = torch.tensor([[True, True, True], [True, True, False], [False, True, True]])


@pytest.mark.parametrize(("how", "expected"), [("cls", [1, 4, 5]), ("mean", [3, 6, 6]), ("last", [6, 8, 7])])
def test_pooling_sees_only_what_is_no_padding(how: str, expected: list[float]) -> None:
    """First, mean and last of the states under the mask, with padding on either side; NaN in padding is not seen."""
    assert pool(STATES, MASK, how)[:, 0].tolist() == expected


def test_pooling_sums_in_float32() -> None:
    """The mean of many equal bfloat16 states is exactly that state."""
    states = torch.full((1, 3000, 1), 1.0, dtype=torch.bfloat16)

    pooled = pool(states, torch.ones(1, 3000, dtype=torch.bool), "mean")

    assert pooled.dtype == torch.float32
    assert pooled.item() == 1.0


def test_the_length_is_that_of_what_is_left() -> None:
    """Matryoshka: the first numbers are kept, and only then scaled."""
    vectors = torch.tensor([[3.0, 4.0, 12.0]])

    # sqrt(3² + 4²) = 5
    assert shortened(vectors, 2, normalize=True)[0].tolist() == pytest.approx([0.6, 0.8])
    assert shortened(vectors, 2, normalize=False)[0].tolist() == [3, 4]
    assert shortened(vectors, None, normalize=False)[0].tolist() == [3, 4, 12]
