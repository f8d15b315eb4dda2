"""Sounds as they come: noise to make them of, and files of several formats, rates and channels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

Sound: TypeAlias = npt.NDArray[np.float32]

Rates: TypeAlias = Sequence[tuple[int, float]]
"""Sampling rates in Hz, with their cumulative shares; the last is 1."""

BASE_RATE = 16_000  # Hz; everything is synthesized at this rate and then resampled
RATES: Rates = ((8_000, 0.4), (16_000, 0.78), (22_050, 0.88), (44_100, 0.95), (48_000, 1.0))
_STEREO = 0.15
_FLAC = 0.5
_MULAW = 0.5  # of the 8 kHz WAV files: what telephone systems write


@cache
def _noise_tape(seed: int) -> Sound:
    """Noise to cut pieces from (16 s): drawing it anew for every sound would take a quarter of all the time."""
    return np.random.default_rng(seed).standard_normal(1 << 18, dtype=np.float32)


def noise(samples: int, rng: np.random.Generator, tape: int = 0) -> Sound:
    """White noise `[n]` of standard deviation 1, cut from a tape of this number."""
    start = int(rng.integers((1 << 18) - samples))
    return _noise_tape(tape)[start : start + samples]


def resample(sound: Sound, rate: int) -> Sound:
    """From BASE_RATE to `rate` by cutting or padding the spectrum: exact for a band-limited sound."""
    if rate == BASE_RATE:
        return sound
    # A multiple of 320 keeps the new length whole at every rate of RATES and the FFT fast.
    padded = np.pad(sound, (0, -len(sound) % 320))
    length = len(padded) * rate // BASE_RATE
    spectrum = np.fft.rfft(padded)[: length // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, length) * np.float32(rate / BASE_RATE))


def encode(sound: Sound, rng: np.random.Generator, rates: Rates = RATES) -> bytes:
    """A WAV or FLAC of samples `[n]` in [-1, 1] at BASE_RATE: of one of these rates, mono or stereo."""
    chance, is_stereo, is_flac, is_mulaw, left = rng.random(5)
    rate = next(rate for rate, share in rates if chance < share)
    sound = np.clip(resample(sound, rate), -0.999, 0.999)
    if is_stereo < _STEREO:
        sound = np.stack([sound * (0.5 + 0.5 * left), sound * (1 - 0.5 * left)], axis=1)  # [n, 2]
    container, subtype = ("FLAC", "PCM_16") if is_flac < _FLAC else ("WAV", "PCM_16")
    if container == "WAV" and rate == 8_000 and is_mulaw < _MULAW:
        subtype = "ULAW"
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format=container, subtype=subtype)
    return out.getvalue()
