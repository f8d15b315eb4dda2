"""Voice notes."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from pipelines.scenarios.retail import voice
from pipelines.scenarios.sounds import resample


def read(content: bytes) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], int]:
    """Samples, mixed to mono, and their rate in Hz."""
    samples, rate = soundfile.read(io.BytesIO(content), always_2d=True)
    return samples.mean(axis=1), rate


def brightness(mood: float, rng: np.random.Generator) -> float:
    """Mean frequency in Hz, weighted by magnitude, of a voice in this mood, below 4 kHz."""
    samples, rate = read(voice.draw(np.array([mood, 0.0]), rng))
    spectrum, f = np.abs(np.fft.rfft(samples)), np.fft.rfftfreq(len(samples), 1 / rate)
    return float((spectrum * f)[f < 4_000].sum() / spectrum[f < 4_000].sum())


def test_containers_rates_and_channels() -> None:
    """WAV and FLAC, five rates from 8 to 48 kHz, mono and stereo, 0.6 to 1.3 s, audible and not clipped."""
    rng = np.random.default_rng(0)
    contents = [voice.draw(rng.standard_normal(2), rng) for _ in range(150)]
    headers = [soundfile.info(io.BytesIO(content)) for content in contents]
    assert {header.format for header in headers} == {"WAV", "FLAC"}
    assert {header.samplerate for header in headers} == {8_000, 16_000, 22_050, 44_100, 48_000}
    assert {header.channels for header in headers} == {1, 2}
    assert {header.subtype for header in headers} == {"PCM_16", "ULAW"}
    assert all(0.59 < header.duration < 1.33 for header in headers)
    peaks = [np.abs(read(content)[0]).max() for content in contents]
    assert min(peaks) > 0.05
    assert max(peaks) < 1


def test_mood_shows_in_the_brightness() -> None:
    """A voice in a good mood has its energy higher up than one in a bad mood."""
    rng = np.random.default_rng(1)
    low, high = (np.mean([brightness(mood, rng) for _ in range(8)]) for mood in (-2.0, 2.0))
    assert high > 1.3 * low


def test_resampling_keeps_a_tone() -> None:
    """A 400 Hz tone at 16 kHz is the same tone at 22.05 kHz."""
    tone = np.sin(2 * np.pi * 400 * np.arange(3_200) / 16_000).astype(np.float32)
    there = resample(tone, 22_050)
    expected = np.sin(2 * np.pi * 400 * np.arange(len(there)) / 22_050)
    assert len(there) == 4_410
    np.testing.assert_allclose(there, expected, atol=1e-3)
