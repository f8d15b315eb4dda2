"""A recipe: all that decides what a unit's rows become; small, picklable, the same for every unit of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from models.batch import OpSpec
from models.encoders.base import EncoderSpec
from transforms.modalities.base import ModalitySpec


@dataclass(frozen=True)
class Limits:
    """How much is held at once; none of these changes a published number."""

    batch_rows: int = 128
    """Most rows of a batch."""
    batch_bytes: int = 32 << 20
    """About how many input bytes a batch holds."""
    window_bytes: int = 128 << 20
    """Most bytes of cleaned batches under way to the workers, per process."""


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
