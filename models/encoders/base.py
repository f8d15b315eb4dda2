"""What every encoder promises, and what its Spec says before any weight is loaded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from models.arrow import Float32
from models.spec import Spec


class Encoder(Protocol):
    """Turns cleaned values into embeddings."""

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` for n values without nulls; row i depends on value i only."""
        ...


@dataclass(frozen=True)
class Waste:
    """How much of what a model computed was padding, in its own unit (tokens, samples)."""

    padded: int = 0
    """What was computed, padding included."""
    real: int = 0
    """What of it stood for input."""

    def __add__(self, other: Waste) -> Waste:
        return Waste(self.padded + other.padded, self.real + other.real)

    @property
    def share(self) -> float:
        """The part that was padding, 0 where nothing was computed."""
        return 1 - self.real / self.padded if self.padded else 0.0


@runtime_checkable
class Padded(Protocol):
    """An encoder that fills values up to a common length, and counts what that costs."""

    def waste(self) -> Waste:
        """Everything since the encoder was built."""
        ...


class EncoderSpec(Spec[Encoder]):
    """Describes an encoder: its modality type, output size and what it wants from the cleaner."""

    modality: ClassVar[str]
    """The modality type whose cleaned values it reads (`models.schema` says what they look like)."""

    @property
    @abstractmethod
    def output_dim(self) -> int:
        """Length of every embedding; known without loading weights."""

    def check(self) -> None:
        """Look at the files that `build` will load, without loading them.

        Raises:
            ConfigError: they are missing, or loading them could run code.
        """

    def requires(self) -> Mapping[str, object]:
        """Settings that the modality's cleaner must have (`size` of images, `rate` of audio)."""
        return {}


def projection(in_dim: int, out_dim: int, seed: int) -> Float32:
    """`[in_dim, out_dim]` seeded random projection that keeps distances on average.

    Columns are orthonormal where out_dim <= in_dim, rows otherwise (QR of a Gaussian matrix, with the signs fixed so
    that the result is unique); see Johnson & Lindenstrauss 1984.
    """
    rng = np.random.default_rng(seed)
    tall = rng.standard_normal((max(in_dim, out_dim), min(in_dim, out_dim)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))
    return np.ascontiguousarray(q if in_dim >= out_dim else q.T, dtype=np.float32)
