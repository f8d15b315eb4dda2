"""A linear map that rounds a row the same way wherever in its block it stands."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# Inner dimensions are padded to a multiple of this many float32: one AVX-512 register. With a row length that is no
# multiple of 4, MKL's small-matrix kernels (2 to 8 output columns) start rows at different alignments and sum them in
# different orders: 489 of 1,768 shapes that were tried were affected, none whose inner dimension is a multiple of 4.
ALIGNMENT = 16


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x Wᵀ + b` for `x` `[B, k]` and `weight` `[o, k]`, with k padded by zeros to an aligned length."""
    missing = -weight.shape[1] % ALIGNMENT
    if missing:
        x, weight = functional.pad(x, (0, missing)), functional.pad(weight, (0, missing))
    return functional.linear(x, weight, bias)


class Linear(nn.Linear):
    """`nn.Linear` (same parameters, same start) by `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        """`[B, in_features]` to `[B, out_features]`."""
        return linear(input, self.weight, self.bias)
