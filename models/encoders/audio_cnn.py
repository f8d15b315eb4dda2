"""Sounds as log-mel pictures through a small convolutional network of our own, trained on the history."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import list_parts, to_numpy
from models.encoders._learned import LearnedEncoderSpec
from models.sequences import Sequences
from models.spectrogram import HOP_SECONDS, Spectrogram

if TYPE_CHECKING:
    from models.encoders._networks import EncoderNetwork


class AudioCnnSpec(LearnedEncoderSpec):
    """A small convolutional network on log-mel bands, pooled over time; learned from the history."""

    kind: ClassVar[str] = "audio_cnn"
    modality: ClassVar[str] = "audio"

    rate: int = Field(default=16_000, ge=8_000, le=48_000)
    """Samples per second that the cleaner must deliver."""
    n_mels: int = Field(default=64, ge=16, le=128, multiple_of=16)
    """Mel bands."""
    max_seconds: float = Field(default=10.0, gt=0, le=600)
    """What is heard of a sound; the rest is cut off."""
    width: int = Field(default=16, ge=16, le=256, multiple_of=16)
    """Channels of the first layer; the last one has four times as many."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the pooled coordinates that training leaves out at random."""
    masked: float = Field(default=0.2, ge=0, lt=1)
    """In training a stretch of up to this part of the bands, and one of the time, is silenced."""
    loudness: float = Field(default=0.1, ge=0, le=1)
    """In training a sound becomes louder or softer by up to this part of the scale (70 dB)."""

    def requires(self) -> Mapping[str, object]:
        """The sampling rate."""
        return {"rate": self.rate}

    def compact(self, values: pa.Array) -> pa.Array:
        """list<fixed_size_list<uint8>[n_mels]>: log-mel bands of every frame."""
        return _spectrogram(self.rate, self.n_mels)(values, max(1, round(self.max_seconds / HOP_SECONDS)))

    def inputs(self, values: pa.Array) -> Sequences:
        """Bands, uint8 `[frames, n_mels]`."""
        frames, offsets = list_parts(values)
        bands = to_numpy(frames) if len(frames) else np.zeros((0, self.n_mels), np.uint8)
        return Sequences(bands, offsets)

    def network(self) -> EncoderNetwork:
        """The network before training."""
        from models.encoders._audio_cnn import AudioCnnNetwork

        return AudioCnnNetwork(self)


@lru_cache(maxsize=8)
def _spectrogram(rate: int, n_mels: int) -> Spectrogram:
    return Spectrogram(rate, n_mels)
