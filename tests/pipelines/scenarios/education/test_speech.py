"""Spoken answers."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import soundfile

from pipelines.scenarios.education import speech


def read(content: bytes) -> tuple[npt.NDArray[np.float64], int]:
    """Samples, mixed to mono, and their rate in Hz."""
    samples, rate = soundfile.read(io.BytesIO(content), always_2d=True)
    return samples.mean(axis=1), rate


def levels(shown: list[float], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Power of each 20 ms, in dB below the loudest."""
    samples, rate = read(speech.draw(np.array(shown), rng))
    size = rate // 50
    power = (samples[: len(samples) // size * size].reshape(-1, size) ** 2).mean(axis=1)
    return np.asarray(10 * np.log10(power / power.max()))


def brightness(confidence: float, rng: np.random.Generator) -> float:
    """Share of the power between 100 and 4,000 Hz that lies above 1,500 Hz."""
    samples, rate = read(speech.draw(np.array([0.0, confidence]), rng))
    power, f = np.abs(np.fft.rfft(samples)) ** 2, np.fft.rfftfreq(len(samples), 1 / rate)
    return float(power[(f > 1_500) & (f < 4_000)].sum() / power[(f > 100) & (f < 4_000)].sum())


def test_containers_rates_and_channels() -> None:
    """WAV and FLAC, five rates from 8 to 48 kHz, mono and stereo, 0.9 to 1.5 s, audible and not clipped."""
    rng = np.random.default_rng(0)
    contents = [speech.draw(rng.standard_normal(2), rng) for _ in range(150)]
    headers = [soundfile.info(io.BytesIO(content)) for content in contents]
    assert {header.format for header in headers} == {"WAV", "FLAC"}
    assert {header.samplerate for header in headers} == {8_000, 16_000, 22_050, 44_100, 48_000}
    assert {header.channels for header in headers} == {1, 2}
    assert all(0.89 < header.duration < 1.53 for header in headers)
    peaks = [np.abs(read(content)[0]).max() for content in contents]
    assert min(peaks) > 0.1
    assert max(peaks) < 1


def test_fluency_shows_in_the_pauses() -> None:
    """Halting answers are silent (20 dB below the loudest) for much longer than fluent ones."""
    rng = np.random.default_rng(1)
    fluent, halting = (np.mean([(levels([f, 1.0], rng) < -20).mean() for _ in range(15)]) for f in (2.0, -2.0))
    assert halting > fluent + 0.2


def test_confidence_shows_in_the_voice() -> None:
    """A confident voice is brighter."""
    rng = np.random.default_rng(2)
    low, high = (np.mean([brightness(c, rng) for _ in range(8)]) for c in (-2.0, 2.0))
    assert high > 2 * low


def test_a_low_voice_drowns_in_the_room() -> None:
    """The quietest pieces lie further below the loudest ones where the voice is loud."""
    rng = np.random.default_rng(3)
    floors = [np.mean([np.quantile(levels([-1.0, c], rng), 0.02) for _ in range(10)]) for c in (2.0, -2.0)]
    assert floors[0] < floors[1] - 10  # the room is 24 dB lower, less what syllables leave of silence
