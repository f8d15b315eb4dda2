"""Tests of frames, mel filters and the pitch tracker."""

from __future__ import annotations

import numpy as np
import pytest

from models.sound import PitchTracker, frame_starts, frames_at, mel_filters

RATE = 16_000


def test_frames_never_cross_sounds() -> None:
    """Two sounds of 10 and 7 samples hold frames of 4 every 3 samples, each in its own sound."""
    starts, frames = frame_starts(np.array([0, 10, 17]), window=4, hop=3)

    assert starts.tolist() == [0, 3, 6, 10, 13]
    assert frames.tolist() == [0, 3, 5]


def test_frames_are_the_samples_from_each_start() -> None:
    """A frame holds the window's samples."""
    framed = frames_at(np.arange(6, dtype=np.float32), np.array([0, 2]), 3)

    assert framed.tolist() == [[0, 1, 2], [2, 3, 4]]


def test_mel_filters_average_a_band() -> None:
    """Each filter's weights sum to 1, and the centres rise evenly in mel."""
    filters = mel_filters(RATE, 512, 40)
    centres = np.fft.rfftfreq(512, 1 / RATE) @ filters
    mel = 2595 * np.log10(1 + centres / 700)

    np.testing.assert_allclose(filters.sum(axis=0), 1, rtol=1e-5)
    # 41 steps from 50 Hz = 78 mel to 8 kHz = 2840 mel; up to a bin of the grid (31 Hz, 46 mel at the lowest)
    np.testing.assert_allclose(np.diff(mel), (2840 - 78) / 41, atol=25)


@pytest.mark.parametrize("hertz", [75.0, 110.0, 160.0, 233.1, 440.0])
def test_pitch_of_a_voice_is_found(hertz: float) -> None:
    """A sound of eight harmonics has its fundamental as pitch, within a twentieth of an octave, and is periodic."""
    time = np.arange(RATE // 2) / RATE
    voice = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 9))
    samples = (0.2 * np.asarray(voice)).astype(np.float32)

    pitch = PitchTracker(RATE)(samples, np.array([0, len(samples)]))

    np.testing.assert_allclose(160 * 2**pitch.octave, hertz, rtol=2**0.05 - 1)
    assert pitch.strength.min() > 0.8


def test_noise_and_silence_have_no_pitch() -> None:
    """White noise is hardly periodic, silence not at all."""
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    samples = np.concatenate([noise, np.zeros(RATE, np.float32)])

    pitch = PitchTracker(RATE)(samples, np.array([0, RATE, 2 * RATE]))

    assert np.median(pitch.strength[: pitch.offsets[1]]) < 0.5
    assert pitch.strength[pitch.offsets[1] :].max() == 0.0
