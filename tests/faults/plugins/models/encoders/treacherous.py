"""An encoder that does what its texts say: `[raise]`, `[memory]`, `[segfault]`, `[hang]`; for tests of faults."""

from __future__ import annotations

import ctypes
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from models.arrow import Float32
from models.encoders.base import Encoder, EncoderSpec
from models.encoders.hashed_ngrams import HashedNgramsEncoder


class TreacherousSpec(EncoderSpec):
    """Hashed n-grams, unless a text asks for something else."""

    kind: ClassVar[str] = "treacherous"
    modality: ClassVar[str] = "treacherous_text"
    unhashed: ClassVar[frozenset[str]] = frozenset({"log", "most", "missing"})

    dim: int = 64
    """Length of the embeddings."""
    log: str | None = None
    """A file that gets a line for every misdeed: what, and of how many values."""
    most: int = 1_000_000
    """Most values that fit into memory at once."""
    missing: bool = False
    """Whether the weights are missing."""

    @property
    def output_dim(self) -> int:
        """As configured."""
        return self.dim

    def build(self) -> Encoder:
        """The encoder."""
        if self.missing:
            raise FileNotFoundError(2, "No such file or directory", "weights/model.safetensors")
        return Treacherous(self)


class Treacherous:
    """See the module."""

    def __init__(self, spec: TreacherousSpec) -> None:
        self._spec = spec
        self._encoder = HashedNgramsEncoder(spec.dim)

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]`."""
        texts = values.to_pylist()
        if len(texts) > self._spec.most:
            self._note("memory", len(texts))
            raise MemoryError
        for word, deed in DEEDS.items():
            if any(f"[{word}]" in text for text in texts):
                self._note(word, len(texts))
                deed()
        return self._encoder(values)

    def _note(self, deed: str, values: int) -> None:
        if self._spec.log:
            with Path(self._spec.log).open("a", encoding="utf-8") as log:
                log.write(f"{deed} {values}\n")


def _raise() -> None:
    raise ValueError("a text must not say so")


def _exhaust() -> None:
    raise MemoryError


def _segfault() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump takes seconds and a gigabyte
    ctypes.string_at(0)


def _hang() -> None:
    time.sleep(3600)


DEEDS: dict[str, Callable[[], None]] = {"raise": _raise, "memory": _exhaust, "segfault": _segfault, "hang": _hang}
