"""Pixels to what a vision model takes, on the device: bytes travel there, floats are made where they are needed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.preprocessing import Scaling


class PixelScaling(nn.Module):
    """(pixel·scale - mean) / std, as one product and one sum in float32."""

    factor: Tensor  # [3, 1, 1]
    shift: Tensor  # [3, 1, 1]

    def __init__(self, wanted: Scaling) -> None:
        super().__init__()
        mean, std = (torch.tensor(numbers, dtype=torch.float64) for numbers in (wanted.mean, wanted.std))
        self.register_buffer("factor", (wanted.scale / std).float()[:, None, None])
        self.register_buffer("shift", (-mean / std).float()[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        """float32 `[B, 3, s, s]` of uint8 pixels `[B, s, s, 3]`."""
        planes = pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        return planes.mul_(self.factor).add_(self.shift)


class ScalingFirst:
    """A model's forward that takes uint8 pixels `[B, s, s, 3]` as `pixel_values`."""

    def __init__(self, forward: Any, wanted: Scaling, device: torch.device, dtype: torch.dtype) -> None:
        self.forward = forward
        self.scaling = PixelScaling(wanted).to(device)
        self.dtype = dtype

    def __call__(self, *, pixel_values: Tensor, **others: Any) -> Any:
        """Whatever the model gives, for pixels scaled in float32 and cast to its precision."""
        return self.forward(pixel_values=self.scaling(pixel_values).to(self.dtype), **others)
