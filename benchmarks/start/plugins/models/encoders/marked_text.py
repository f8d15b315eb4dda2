"""`huggingface_text` that marks when it is loaded and when its first batch is done; for benchmarks/startup.py."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa

from benchmarks.start.marks import mark
from models.arrow import Float32
from models.encoders.base import Encoder
from models.encoders.huggingface_text import HuggingFaceTextSpec


class MarkedTextSpec(HuggingFaceTextSpec):
    """The same encoder, with a file for its marks."""

    kind: ClassVar[str] = "marked_text"
    unhashed: ClassVar[frozenset[str]] = HuggingFaceTextSpec.unhashed | {"marks"}

    marks: str
    """The file."""

    def build(self) -> Encoder:
        """The encoder; its libraries are loaded first, so that they are told from the weights."""
        mark(self.marks, "encoder's process there")
        import torch  # noqa: F401  # the mark below is what this is for
        from transformers import AutoModel, AutoTokenizer  # noqa: F401

        mark(self.marks, "torch and transformers imported")
        encoder = super().build()
        mark(self.marks, "weights loaded")
        return Marked(encoder, self.marks)


class Marked:
    """An encoder that marks its first call."""

    def __init__(self, encoder: Encoder, marks: str) -> None:
        self._encoder = encoder
        self._marks = marks
        self._told = False

    def __call__(self, values: pa.Array) -> Float32:
        """What the encoder says: float32 `[n, dim]`."""
        if self._told:
            return self._encoder(values)
        mark(self._marks, "first batch there")
        rows = self._encoder(values)
        mark(self._marks, "first rows encoded")
        self._told = True
        return rows
