"""Tests of the sound encoder that needs no weights."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import Float32
from models.encoders import log_mel
from models.encoders.log_mel import BAND_STATISTICS, PROSODY_DIM, LogMelSpec
from tests.models.encoders.probe import explained

RATE = 16_000
N_MELS = 40
# Places of some descriptors after the bands, in the order of `prosody`.
DURATION, PAUSE_SHARE, SYLLABLES, CENTROID, PITCH, VOICED = (
    BAND_STATISTICS * N_MELS + i for i in (0, 8, 11, 12, 19, 29)
)


def encode(*sounds: Float32) -> Float32:
    """Embeddings of some sounds."""
    return LogMelSpec().build()(pa.array(sounds, pa.list_(pa.float32())))


def voice(hertz: float, seconds: float = 1.0, rise: float = 0.0) -> Float32:
    """Six harmonics whose pitch rises by so many octaves in a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(hertz * 2 ** (rise * time)) / RATE
    sound: Float32 = (0.2 * np.sum([np.sin(k * phase) / k for k in range(1, 7)], axis=0)).astype(np.float32)
    return sound


def tone(hertz: float) -> Float32:
    """One second of a sine."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)


def test_the_dimension_follows_the_bands() -> None:
    """Five statistics for each band, and the prosody."""
    assert LogMelSpec(n_mels=20).output_dim == 5 * 20 + PROSODY_DIM
    assert LogMelSpec().requires() == {"rate": 16_000}


def test_a_higher_tone_lies_in_a_higher_band() -> None:
    """The loudest band rises with the tone."""
    rows = encode(tone(300), tone(1000), tone(3000))
    loudest = rows[:, :N_MELS].argmax(axis=1)

    assert loudest[0] < loudest[1] < loudest[2]
    assert rows[0, CENTROID] < rows[1, CENTROID] < rows[2, CENTROID]


def test_pitch_is_in_octaves() -> None:
    """Voices an octave apart are two units apart (a coordinate counts half octaves), and wholly voiced."""
    low, high = encode(voice(110), voice(220))

    assert high[PITCH] - low[PITCH] == pytest.approx(2.0, abs=0.05)
    assert low[VOICED] == high[VOICED] == 1.5


def test_pauses_and_syllables_are_counted() -> None:
    """Four bursts of a tone with silence between: about half pause, and more rises than a steady tone has."""
    bursts = tone(400) * (np.arange(RATE) % 4000 < 2000)
    rows = encode(tone(400), bursts.astype(np.float32))

    assert rows[0, PAUSE_SHARE] == 0.0
    assert rows[1, PAUSE_SHARE] == pytest.approx(3 * 0.5, abs=0.3)
    # log1p of rises per second, less 1; the first burst is there from the start, as one rise.
    assert rows[1, SYLLABLES] == pytest.approx(np.log1p(4) - 1, abs=0.3)


def test_length_has_its_own_coordinate() -> None:
    """Twice as long is log 2 more, and leaves the bands of a steady tone where they are."""
    short, long = encode(tone(500), np.tile(tone(500), 2))

    assert long[DURATION] - short[DURATION] == pytest.approx(np.log(2), abs=1e-6)
    np.testing.assert_allclose(long[:N_MELS], short[:N_MELS], atol=0.05)


def test_shorter_than_a_window_is_filled_with_silence() -> None:
    """No samples at all are the same as silence of one window; a click is not."""
    nothing, silence, click = encode(*(np.array(x, np.float32) for x in ([], [0.0] * 800, [0.5] * 10)))

    np.testing.assert_array_equal(nothing, silence)
    assert (click != silence).any()


def test_sounds_are_taken_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting the batch by seconds changes nothing; a sound over the limit goes alone."""
    sounds = [voice(100, 0.3), voice(200, 0.2), voice(150, 0.9), voice(120, 0.1)]
    whole = encode(*sounds)

    monkeypatch.setattr(log_mel, "CHUNK_SECONDS", 0.5)

    np.testing.assert_array_equal(encode(*sounds), whole)


def test_a_linear_map_reads_pitch_and_melody() -> None:
    """Pitch in octaves and its rise are read from the embedding."""
    rng = np.random.default_rng(0)
    octave, rise = rng.uniform(-0.8, 0.8, 300), rng.uniform(-0.4, 0.4, 300)
    sounds = [voice(160 * 2**o, rng.uniform(0.5, 0.8), r) for o, r in zip(octave, rise, strict=True)]

    rows = encode(*sounds)

    assert explained(rows, octave) > 0.95
    assert explained(rows, rise) > 0.9
