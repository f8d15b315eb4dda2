"""Tests of spectrograms: what a tone, silence and lengths look like in bytes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from models.arrow import list_parts, to_numpy
from models.sound import LOWEST_MEL_HZ
from models.spectrogram import Spectrogram

RATE, MELS = 16_000, 32
SPECTROGRAM = Spectrogram(RATE, MELS)


def sounds(*values: object) -> pa.Array:
    """list<float32> of the given samples."""
    return pa.array(values, pa.list_(pa.float32()))


def tone(hertz: float, seconds: float, volume: float = 0.5) -> list[float]:
    """Samples of a sine."""
    wave: list[float] = (volume * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).tolist()
    return wave


def bands(values: pa.Array, most: int = 1000) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """`[frames, MELS]` of each sound."""
    frames, offsets = list_parts(SPECTROGRAM(values, most))
    table = to_numpy(frames)
    return [table[a:b].astype(np.uint8) for a, b in pairwise(offsets)]


def test_a_tone_stands_in_its_own_band() -> None:
    """1 kHz lies in the band whose edges enclose it on the mel scale."""
    [found] = bands(sounds(tone(1000, 0.2)))
    lowest, highest, mine = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST_MEL_HZ, RATE / 2, 1000.0))
    place = (mine - lowest) / (highest - lowest) * (MELS + 1) - 1  # bands are centred on whole numbers

    assert abs(found.mean(axis=0).argmax() - place) <= 1


def test_silence_is_zero() -> None:
    """The floor of the scale, as is what fills a short sound up."""
    nothing, short = bands(sounds([0.0] * 1000, [0.0]))

    assert not nothing.any()
    assert short.shape == (1, MELS)
    assert not short.any()


def test_a_frame_begins_every_16_ms() -> None:
    """A second holds the 32 ms of the first frame and (1000 - 32) / 16 = 60.5 more."""
    [found] = bands(sounds(tone(300, 1.0)))

    assert len(found) == 61


def test_ten_times_the_amplitude_is_20_db() -> None:
    """255 levels for 70 dB: 73 levels more, where neither end of the scale is near."""
    soft, loud = bands(sounds(tone(1000, 0.2, 0.05), tone(1000, 0.2, 0.5)))

    assert abs((loud.max(axis=1).astype(int) - soft.max(axis=1)).mean() - 255 * 20 / 70) < 1


def test_the_rest_of_a_long_sound_is_not_heard() -> None:
    """As many frames as are asked for, from the beginning; its neighbours stay as they are."""
    long, short = [*tone(300, 0.3), *tone(2000, 1.0)], tone(500, 0.1)

    cut = bands(sounds(long, short), most=10)
    whole = bands(sounds(long, short))

    np.testing.assert_array_equal(cut[0], whole[0][:10])
    np.testing.assert_array_equal(cut[1], whole[1])
