"""Pictures through a small residual network of our own, trained on the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import to_numpy
from models.encoders._learned import LearnedEncoderSpec
from models.sequences import Sequences

if TYPE_CHECKING:
    from models.encoders._networks import EncoderNetwork


class CnnSpec(LearnedEncoderSpec):
    """A small residual network on pictures, learned from the history."""

    kind: ClassVar[str] = "cnn"
    modality: ClassVar[str] = "image"

    size: int = Field(default=64, ge=16, le=512, multiple_of=16)
    """Side of the pictures in pixels, as the cleaner must deliver them."""
    width: int = Field(default=16, ge=16, le=256, multiple_of=16)
    """Channels of the first layer; the last one has six times as many."""
    shift: float = Field(default=0.125, ge=0, le=0.5)
    """In training pictures are moved by up to this part of their side, up or down and to either side."""
    flip: bool = False
    """In training half of the pictures are mirrored; not where left and right mean something (writing, scans)."""
    colour: float = Field(default=0.2, ge=0, le=1)
    """In training brightness and contrast change by up to this part."""

    def requires(self) -> Mapping[str, object]:
        """The pictures' side."""
        return {"size": self.size}

    def inputs(self, values: pa.Array) -> Sequences:
        """Pixels, uint8 `[n, size·size·3]`; a picture is a sequence of one step."""
        pixels = to_numpy(values) if len(values) else np.zeros((0, self.size * self.size * 3), np.uint8)
        return Sequences.of_one_step(pixels)

    def network(self) -> EncoderNetwork:
        """The network before training."""
        from models.encoders._cnn import CnnNetwork

        return CnnNetwork(self)
