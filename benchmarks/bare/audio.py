"""Sounds: soundfile and soxr alone, and a speech model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import torch
from transformers import AutoFeatureExtractor, AutoModel

from benchmarks.bare.base import Inputs

Samples = npt.NDArray[np.float32]


class BareAudio:
    """Mono at the model's rate, with mean 0 and variance 1; last states."""

    def __init__(self, weights: Path) -> None:
        self.extractor = AutoFeatureExtractor.from_pretrained(weights, local_files_only=True)
        self.model = AutoModel.from_pretrained(weights, local_files_only=True).eval()
        self.rate = int(self.extractor.sampling_rate)

    def decode(self, values: Sequence[bytes]) -> list[Samples]:
        """float32 `[samples]` each."""
        return [self._mono(value) for value in values]

    def _mono(self, value: bytes) -> Samples:
        samples, rate = soundfile.read(io.BytesIO(value), dtype="float32", always_2d=True)  # [n, channels]
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
        return mono if rate == self.rate else np.asarray(soxr.resample(mono, rate, self.rate), dtype=np.float32)

    def lengths(self, values: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """`[n]` samples at the model's rate, by the headers."""
        infos = [soundfile.info(io.BytesIO(value)) for value in values]
        return np.array([info.frames * self.rate // info.samplerate for info in infos], dtype=np.int64)

    def inputs(self, decoded: Sequence[Samples]) -> Inputs:
        """float32 `[B, samples]` and their mask."""
        return dict(
            self.extractor(
                list(decoded), sampling_rate=self.rate, padding=True, return_attention_mask=True, return_tensors="pt"
            )
        )

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """States `[B, T, D]`."""
        states: torch.Tensor = self.model(**inputs).last_hidden_state
        return states
