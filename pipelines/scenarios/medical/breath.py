"""A sound of breathing and a cough: whistling tones show wheeze, short clicks crackle."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.sounds import BASE_RATE, Sound, encode, noise
from pipelines.scenarios.streams import Floats

SECONDS = (0.8, 1.3)
_CLICK = 320  # samples of one crackle: 20 ms
_AWAKE = 0.6  # share of recordings with a cough in them, whatever the illness


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """An encoded sound of a standardized view `[2]`: wheeze, crackle; WAV or FLAC, 8 to 48 kHz, mono or stereo."""
    wheeze, crackle = np.clip(shown, -2.6, 2.6).tolist()
    samples = int(rng.uniform(*SECONDS) * BASE_RATE)
    flow = _flow(samples, rng)  # [n]
    sound = _rustle(samples, rng) * flow
    sound += _whistles(wheeze, flow, rng)
    _add_crackles(sound, crackle, rng)
    _add_cough(sound, rng)
    sound *= np.float32(1 / max(1.0, float(np.abs(sound).max())))
    sound += noise(samples, rng) * np.float32(10 ** (rng.uniform(-66, -54) / 20))
    return encode(sound * np.float32(rng.uniform(0.4, 0.9)), rng)


def _flow(samples: int, rng: np.random.Generator) -> Sound:
    """`[n]` 0 to 1: air goes in and out, one to two times a second."""
    turns = (rng.uniform(0, 1) + np.arange(samples) * (rng.uniform(1.0, 2.0) / BASE_RATE)).astype(np.float32)
    return np.asarray(np.abs(np.sin(np.float32(np.pi) * turns)))


def _rustle(samples: int, rng: np.random.Generator) -> Sound:
    """`[n]` noise of the airways, mostly below 1 kHz."""
    hiss = noise(samples + 16, rng)
    sums = np.cumsum(hiss, dtype=np.float32)
    return (sums[16:] - sums[:-16]) * np.float32(0.05 / 4)  # mean of 16 samples: its first zero is at 1 kHz


def _whistles(wheeze: float, flow: Sound, rng: np.random.Generator) -> Sound:
    """`[n]` two tones between 250 and 700 Hz that waver; their loudness grows with wheeze."""
    place = np.arange(len(flow), dtype=np.float32) / np.float32(BASE_RATE)
    out = np.zeros(len(flow), dtype=np.float32)
    for tone in rng.uniform(250, 700, 2).tolist():
        waver = np.float32(rng.uniform(1, 4)) * np.sin(np.float32(2 * np.pi * rng.uniform(2, 5)) * place)
        out += np.sin(np.float32(2 * np.pi * tone) * place + waver)
    return np.asarray(out * flow * np.float32(0.05 * np.exp(0.8 * wheeze)))


def _click(rng: np.random.Generator) -> Sound:
    """`[_CLICK]` a damped swing at 1.5 to 3 kHz."""
    place = np.arange(_CLICK, dtype=np.float32) / np.float32(BASE_RATE)
    return np.asarray(np.sin(np.float32(2 * np.pi * rng.uniform(1_500, 3_000)) * place) * np.exp(-place * 250))


def _add_crackles(sound: Sound, crackle: float, rng: np.random.Generator) -> None:
    """Clicks at random places: 3 to 60 a second."""
    rate = 14 * np.exp(0.6 * crackle)
    count = max(1, round(rate * len(sound) / BASE_RATE))
    click = _click(rng)
    for start in rng.integers(0, len(sound) - _CLICK, count).tolist():
        sound[start : start + _CLICK] += np.float32(0.25) * click


def _add_cough(sound: Sound, rng: np.random.Generator) -> None:
    """A burst of 0.15 s that says nothing."""
    if rng.random() >= _AWAKE:
        return
    length = int(0.15 * BASE_RATE)
    start = int(rng.integers(0, len(sound) - length))
    fade = np.exp(-np.arange(length, dtype=np.float32) / np.float32(0.04 * BASE_RATE))
    sound[start : start + length] += np.float32(rng.uniform(0.1, 0.25)) * fade * noise(length, rng)
