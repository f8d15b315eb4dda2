"""Telephone calls."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import soundfile

from pipelines.scenarios.finance import call
from pipelines.scenarios.sounds import resample


def read(content: bytes) -> tuple[npt.NDArray[np.float64], int]:
    """Samples, mixed to mono, and their rate in Hz."""
    samples, rate = soundfile.read(io.BytesIO(content), always_2d=True)
    return samples.mean(axis=1), rate


def brightness(pressure: float, rng: np.random.Generator) -> float:
    """Mean frequency in Hz, weighted by magnitude, of a voice under this pressure, below 4 kHz."""
    samples, rate = read(call.draw(np.array([pressure, 0.0]), rng))
    spectrum, f = np.abs(np.fft.rfft(samples)), np.fft.rfftfreq(len(samples), 1 / rate)
    return float((spectrum * f)[f < 4_000].sum() / spectrum[f < 4_000].sum())


def silence(candour: float, rng: np.random.Generator) -> float:
    """Share of 20 ms pieces that are at least 25 dB below the loudest one."""
    samples, rate = read(call.draw(np.array([0.0, candour]), rng))
    size = rate // 50
    power = (samples[: len(samples) // size * size].reshape(-1, size) ** 2).mean(axis=1)
    return float((power < power.max() * 10**-2.5).mean())


def test_containers_rates_and_channels() -> None:
    """WAV and FLAC, five rates from 8 to 48 kHz, mono and stereo, 0.7 to 1.4 s, audible and not clipped."""
    rng = np.random.default_rng(0)
    contents = [call.draw(rng.standard_normal(2), rng) for _ in range(150)]
    headers = [soundfile.info(io.BytesIO(content)) for content in contents]
    assert {header.format for header in headers} == {"WAV", "FLAC"}
    assert {header.samplerate for header in headers} == {8_000, 16_000, 22_050, 44_100, 48_000}
    assert {header.channels for header in headers} == {1, 2}
    assert {header.subtype for header in headers} == {"PCM_16", "ULAW"}
    assert all(0.69 < header.duration < 1.43 for header in headers)
    peaks = [np.abs(read(content)[0]).max() for content in contents]
    assert min(peaks) > 0.05
    assert max(peaks) < 1


def test_pressure_shows_in_the_brightness() -> None:
    """A tense voice has its energy higher up than a soft one."""
    rng = np.random.default_rng(1)
    low, high = (np.mean([brightness(pressure, rng) for _ in range(8)]) for pressure in (-2.0, 2.0))
    assert high > 1.3 * low


def test_evasiveness_shows_in_the_pauses() -> None:
    """Who evades is silent for longer than who is open."""
    rng = np.random.default_rng(2)
    evasive, candid = (np.mean([silence(candour, rng) for _ in range(8)]) for candour in (-2.0, 2.0))
    assert evasive > candid + 0.1


def test_resampling_keeps_a_tone() -> None:
    """A 400 Hz tone at 16 kHz is the same tone at 44.1 kHz."""
    tone = np.sin(2 * np.pi * 400 * np.arange(3_200) / 16_000).astype(np.float32)
    there = resample(tone, 44_100)
    expected = np.sin(2 * np.pi * 400 * np.arange(len(there)) / 44_100)
    assert len(there) == 8_820
    np.testing.assert_allclose(there, expected, atol=1e-3)
