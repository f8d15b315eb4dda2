"""A voice note: glottal pulses through formants; brightness of the voice shows mood, tempo and breath show haste."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.scenarios import formants
from pipelines.scenarios.sounds import BASE_RATE, Sound, encode, noise
from pipelines.scenarios.streams import Floats

SECONDS = (0.6, 1.3)

_OCTAVES = formants.octaves_above(500)  # where speech has its middle


class _Syllables(NamedTuple):
    """When each syllable is spoken."""

    of: npt.NDArray[np.int64]
    """`[n]` the number of the syllable that each sample belongs to."""
    place: Sound
    """`[n]` how far into its syllable each sample is, 0 to 1."""
    voiced_share: float
    """The part of a syllable's time that is voiced; the rest is pause."""
    total: int


def draw(shown: Floats, rng: np.random.Generator, seconds: tuple[float, float] = SECONDS) -> bytes:
    """An encoded sound of a standardized view `[2]`: WAV or FLAC, 8 to 48 kHz, mono or stereo, `seconds` long."""
    mood, haste = np.clip(shown, -2.6, 2.6).tolist()
    samples = int(rng.uniform(*seconds) * BASE_RATE)
    syllables = _rhythm(haste, samples, rng)
    source = _source(mood, haste, syllables, rng)  # [n]
    sound = _through_formants(source, mood, syllables, rng)  # [n]
    sound = sound * _loudness(syllables)
    sound *= np.float32(1 / np.abs(sound).max())
    sound += _room(samples, rng)
    return encode(sound * np.float32(rng.uniform(0.2, 0.9)), rng)


def _rhythm(haste: float, samples: int, rng: np.random.Generator) -> _Syllables:
    """Calm voices speak two syllables per second with pauses between, hasty ones nine that follow on each other."""
    rate = 4.3 * np.exp(0.27 * haste + rng.normal(0, 0.05))
    beats = rng.uniform(0, 1) + np.arange(samples) * (rate / BASE_RATE)
    of = beats.astype(np.int64)
    voiced_share = float(np.clip(0.72 + 0.1 * haste, 0.4, 0.97))
    return _Syllables(of, (beats - of).astype(np.float32), voiced_share, int(of[-1]) + 1)


def _source(mood: float, haste: float, syllables: _Syllables, rng: np.random.Generator) -> Sound:
    """The glottis `[n]`: slope of a raised-cosine pulse that is open for 60 % of each period, and breath through it."""
    base = np.exp(rng.normal(np.log(155), 0.2) + 0.12 * mood)  # Hz: from low men's to high women's voices
    span = np.exp(0.25 * mood)  # lively voices move further
    steps = 1 + rng.normal(0, 0.08 * span, syllables.total)
    pitch = base * (steps[syllables.of] - 0.15 * span * (syllables.place - 0.5))  # [n] Hz
    phase = np.cumsum(pitch / BASE_RATE)
    phase = (phase - np.floor(phase)).astype(np.float32) / np.float32(0.6)
    is_open = phase < 1
    slope = np.sin(np.float32(2 * np.pi) * phase) * is_open * np.float32(base / BASE_RATE * np.pi / 0.6)
    breath = noise(len(phase), rng) * np.float32(0.006 * np.exp(0.8 * haste))
    return np.asarray(slope + breath * (np.float32(0.3) + is_open))


def _through_formants(source: Sound, mood: float, syllables: _Syllables, rng: np.random.Generator) -> Sound:
    """Each frame filtered by its syllable's vowel, and tilted: a good mood is bright, a bad one dull."""
    tract = np.exp(rng.normal(0, 0.06))  # shorter vocal tracts shift all formants up
    vowels = tract * formants.MEN[rng.integers(len(formants.MEN), size=syllables.total)]  # [S, 3]
    tilt_db = 3.2 * mood * _OCTAVES
    response = formants.response(vowels, formants.MODAL) * 10 ** (tilt_db / 20)  # [S, 257]
    return formants.filtered(source, response, syllables.of)


def _loudness(syllables: _Syllables) -> Sound:
    """Each syllable swells and fades `[n]` within the voiced share of its time; the rest is pause."""
    inside = np.minimum(syllables.place / np.float32(syllables.voiced_share), 1)
    return np.asarray(np.sqrt(4 * inside * (1 - inside)))


def _room(samples: int, rng: np.random.Generator) -> Sound:
    """Noise of the room, 50 to 62 dB below full scale."""
    return noise(samples, rng) * np.float32(10 ** (rng.uniform(-62, -50) / 20))
