"""A recipe: all that decides what a unit's rows become; small, picklable, the same for every unit of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa

from models.batch import OpSpec
from models.encoders.base import EncoderSpec
from transforms.modalities.base import ModalitySpec


@dataclass(frozen=True)
class Limits:
    """How much is held at once; none of these changes a published number."""

    batch_rows: int = 1024
    """Most rows of a batch; fewer where cleaned values are large. Encoders sort by length within a batch: in one of 128
    texts 9.6 % of the tokens were padding, in one of 1,024 1.7 % (docs/performance.md)."""
    batch_bytes: int = 32 << 20
    """About how many input bytes a batch holds."""
    window_bytes: int = 128 << 20
    """Most bytes of cleaned batches under way to the workers, per process."""

    def rows_at_once(self, modalities: Mapping[str, ModalitySpec]) -> int:
        """Rows of a batch whose cleaned values take about a quarter of the window, so that it holds some of them."""
        size = sum(spec.cleaned_bytes() for spec in modalities.values())
        return max(1, min(self.batch_rows, max(LEAST_ROWS, self.window_bytes // 4 // max(1, size))))


LEAST_ROWS: Final = 16
"""As many as encoders run at once on CPUs."""


@dataclass(frozen=True)
class Recipe:
    """From an input row to a published row."""

    schema: pa.Schema
    """The input's common schema."""
    key: str
    event_timestamp: str | None
    keep: tuple[str, ...]
    modalities: Mapping[str, ModalitySpec]
    """With their fitted statistics."""
    encoders: Mapping[str, EncoderSpec]
    """Modality -> encoder."""
    fuse: OpSpec | None
    """None: only embeddings are wanted (for training)."""
    score: OpSpec | None
    fused_dim: int
    score_fields: tuple[pa.Field, ...]
    interval: tuple[datetime, datetime]
    fingerprint: str
    unique_keys: bool = True
    """Whether a key that stood earlier in the input sends a row to quarantine (False for history)."""
    limits: Limits = Limits()
