"""The linear map: the same numbers as torch's, and rows that do not know where they stand."""

from __future__ import annotations

import pytest
import torch

from models.arrow import BLOCK_ROWS
from models.layers import Linear


@pytest.mark.parametrize("width", [1, 5, 16, 51, 250])
@pytest.mark.parametrize("outputs", [1, 3, 8, 64])
def test_a_row_is_rounded_the_same_at_every_place(width: int, outputs: int) -> None:
    """Rows shifted within a block of fixed shape give bitwise the same results, shifted."""
    generator = torch.Generator().manual_seed(0)
    layer, x = Linear(width, outputs), torch.randn(BLOCK_ROWS, width, generator=generator)
    for shift in (1, 7, 33, 63):
        shifted = torch.cat([x[shift:], torch.zeros(shift, width)])
        assert torch.equal(layer(shifted)[: BLOCK_ROWS - shift], layer(x)[shift:])


def test_it_computes_what_torch_computes() -> None:
    """The padding adds zeros only."""
    x = torch.randn(4, 51, generator=torch.Generator().manual_seed(0))
    layer = Linear(51, 3)
    torch.testing.assert_close(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))
