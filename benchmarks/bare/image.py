"""Pictures: Pillow alone, shrinking while it decodes, and a vision model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from transformers import AutoModel

from benchmarks.bare.base import Inputs

Pixels = npt.NDArray[np.uint8]


class BareImage:
    """RGB squares, scaled to [-1, 1]; last states."""

    def __init__(self, weights: Path) -> None:
        self.model = AutoModel.from_pretrained(weights, local_files_only=True).eval()
        self.size = int(self.model.config.image_size)

    def decode(self, values: Sequence[bytes]) -> list[Pixels]:
        """uint8 `[s, s, 3]` each."""
        return [self._square(value) for value in values]

    def _square(self, value: bytes) -> Pixels:
        with Image.open(io.BytesIO(value)) as image:
            image.draft("RGB", (self.size, self.size))
            square = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return np.asarray(square)

    def lengths(self, values: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """`[n]` ones: every picture becomes as large as the others."""
        return np.ones(len(values), dtype=np.int64)

    def inputs(self, decoded: Sequence[Pixels]) -> Inputs:
        """float32 `[B, 3, s, s]`."""
        pixels = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous()
        return {"pixel_values": (pixels / 255 - 0.5) / 0.5}

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """States `[B, T, D]`."""
        states: torch.Tensor = self.model(**inputs).last_hidden_state
        return states
