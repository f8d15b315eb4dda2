"""A telephone call: a pressed, trembling voice shows pressure; a slow one with pauses and sighs evades."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.scenarios import formants
from pipelines.scenarios.sounds import BASE_RATE, Sound, encode, noise
from pipelines.scenarios.streams import Floats

RATES = ((8_000, 0.45), (16_000, 0.8), (22_050, 0.88), (44_100, 0.95), (48_000, 1.0))  # Hz, cumulative shares
SECONDS = (0.7, 1.4)
_TAPE = 2  # of noise
_LANDLINE = 0.2  # share of calls whose lowest tones the line cuts off

_OCTAVES = formants.octaves_above(500)  # where speech has its middle


class Syllables(NamedTuple):
    """What is said when."""

    number: npt.NDArray[np.int64]
    """`[n]` which syllable each sample belongs to."""
    place: Sound
    """`[n]` how far into its syllable each sample is, 0 to 1."""
    spoken: float
    """The part of a syllable's time in which the voice sounds; the rest is silence."""

    @property
    def total(self) -> int:
        """How many there are."""
        return int(self.number[-1]) + 1


def draw(shown: Floats, rng: np.random.Generator, seconds: tuple[float, float] = SECONDS) -> bytes:
    """An encoded sound of a standardized view `[2]`: pressure, candour; WAV or FLAC, 8 to 48 kHz, `seconds` long."""
    pressure, candour = np.clip(shown, -2.6, 2.6).tolist()
    samples = int(rng.uniform(*seconds) * BASE_RATE)
    syllables = _rhythm(candour, samples, rng)
    voice = _shaped(_source(pressure, candour, syllables, rng), pressure, syllables, rng)
    voice *= _loudness(syllables)
    voice *= np.float32(1 / np.abs(voice).max())
    voice += noise(samples, rng, _TAPE) * np.float32(10 ** (rng.uniform(-62, -50) / 20))  # the line, 50 to 62 dB below
    return encode(voice * np.float32(rng.uniform(0.2, 0.9)), rng, RATES)


def _rhythm(candour: float, samples: int, rng: np.random.Generator) -> Syllables:
    """Who is open speaks eight syllables per second that follow on each other; who evades, two with silence between."""
    rate = 4.2 * np.exp(0.27 * candour + rng.normal(0, 0.05))
    beats = rng.uniform(0, 1) + np.arange(samples) * (rate / BASE_RATE)
    number = beats.astype(np.int64)
    return Syllables(number, (beats - number).astype(np.float32), float(np.clip(0.72 + 0.1 * candour, 0.4, 0.97)))


def _source(pressure: float, candour: float, syllables: Syllables, rng: np.random.Generator) -> Sound:
    """The glottis `[n]`: slope of a raised-cosine pulse that is open for 60 % of each period, and breath through it."""
    samples = len(syllables.place)
    base = np.exp(rng.normal(np.log(155), 0.2) + 0.12 * pressure)  # Hz: from low men's to high women's voices
    tremor = 0.012 * np.exp(0.5 * pressure) * np.sin(2 * np.pi * (rng.uniform(5, 7) / BASE_RATE) * np.arange(samples))
    step = 1 + rng.normal(0, 0.07, syllables.total)
    pitch = base * (step[syllables.number] - 0.1 * (syllables.place - 0.5) + tremor)  # [n] Hz
    phase = np.cumsum(pitch / BASE_RATE)
    phase = (phase - np.floor(phase)).astype(np.float32) / np.float32(0.6)
    is_open = phase < 1
    slope = np.sin(np.float32(2 * np.pi) * phase) * is_open * np.float32(base / BASE_RATE * np.pi / 0.6)
    breath = noise(samples, rng, _TAPE) * np.float32(0.006 * np.exp(-0.8 * candour))
    return np.asarray(slope + breath * (np.float32(0.3) + is_open))


def _shaped(source: Sound, pressure: float, syllables: Syllables, rng: np.random.Generator) -> Sound:
    """Each frame `[n]` filtered by its vowel and tilted: a voice under pressure is tense and bright, else soft."""
    tract = np.exp(rng.normal(0, 0.06))  # shorter vocal tracts shift all formants up
    vowels = tract * formants.MEN[rng.integers(len(formants.MEN), size=syllables.total)]  # [S, 3]
    tilt_db = 4.2 * pressure * _OCTAVES
    if rng.random() < _LANDLINE:
        tilt_db = tilt_db - 12 * np.clip(
            np.log2(300 / np.maximum(formants.FREQUENCIES, 30)), 0, None
        )  # 12 dB per octave
    response = formants.response(vowels, formants.MODAL) * 10 ** (tilt_db / 20)  # [S, 257]
    return formants.filtered(source, response, syllables.number)


def _loudness(syllables: Syllables) -> Sound:
    """Each syllable swells and fades `[n]` within the spoken part of its time."""
    inside = np.minimum(syllables.place / np.float32(syllables.spoken), 1)
    return np.asarray(np.sqrt(4 * inside * (1 - inside)))
