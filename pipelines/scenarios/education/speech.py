"""A spoken answer: tempo and pauses show fluency; a bright, loud voice that falls at the end shows confidence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.scenarios import formants
from pipelines.scenarios.sounds import BASE_RATE, Sound, encode, noise
from pipelines.scenarios.streams import Floats

SECONDS = (0.9, 1.5)
# First three formants in Hz of the vowels i, e, a, o, u, ə (Peterson & Barney 1952, means of children, rounded).
_VOWELS = np.array(
    [[370, 3200, 3730], [690, 2610, 3570], [1030, 1370, 3170], [680, 1060, 3180], [430, 1170, 3260], [560, 1800, 3000]]
)
_BANDWIDTHS = np.array([80.0, 120.0, 180.0])  # Hz
_OCTAVES = formants.octaves_above(700)


class Rhythm(NamedTuple):
    """When which syllable is spoken."""

    syllable: npt.NDArray[np.int64]
    """`[n]` the syllable that each sample belongs to, its pause included."""
    place: Sound
    """`[n]` how far into its syllable each sample is; from 1 on it is the pause that follows."""
    syllables: int


def draw(shown: Floats, rng: np.random.Generator) -> bytes:
    """An encoded sound of a standardized view `[2]` (fluency, confidence): WAV or FLAC, 0.9 to 1.5 s long."""
    fluency, confidence = np.clip(shown, -2.6, 2.6).tolist()
    samples = int(rng.uniform(*SECONDS) * BASE_RATE)
    rhythm = _rhythm(fluency, samples, rng)
    voice = _through_formants(_source(confidence, rhythm, rng), confidence, rhythm, rng)
    voice = voice * _swell(rhythm)
    voice *= np.float32(1 / np.abs(voice).max())
    room = np.float32(10 ** ((-40 - 6 * confidence + rng.normal(0, 1.5)) / 20))  # a low voice drowns in the room
    voice += room * noise(samples, rng)
    voice *= np.float32(rng.uniform(0.3, 0.9)) / np.abs(voice).max()
    return encode(voice, rng)


def _rhythm(fluency: float, samples: int, rng: np.random.Generator) -> Rhythm:
    """Halting answers have two syllables per second and pauses as long; fluent ones eight that follow on each other."""
    length = np.exp(-1.45 - 0.28 * fluency + rng.normal(0, 0.04)) * BASE_RATE  # a syllable's samples
    pause = np.clip(0.42 - 0.18 * fluency, 0, 0.88)  # of a syllable's length, on average after every second one
    count = int(1.3 * samples / length) + 3  # some more than fit: their lengths vary
    spoken = length * np.exp(rng.normal(0, 0.12, count))
    total = spoken + length * pause * (1 + (-1.0) ** np.arange(count))
    ends = np.cumsum(total) - rng.uniform(0, 0.5) * length
    at = np.arange(samples)
    syllable = np.searchsorted(ends, at, side="right")
    starts = ends - total
    return Rhythm(syllable, ((at - starts[syllable]) / spoken[syllable]).astype(np.float32), count)


def _source(confidence: float, rhythm: Rhythm, rng: np.random.Generator) -> Sound:
    """The glottis `[n]`: slope of a raised-cosine pulse that is open for 60 % of each period, and breath through it."""
    base = np.exp(rng.normal(np.log(230), 0.12))  # Hz: a child's voice
    end = np.linspace(-1, 1, len(rhythm.place))  # over the answer
    melody = 1 + rng.normal(0, 0.06, rhythm.syllables)[rhythm.syllable] - 0.07 * confidence * end  # who doubts, asks
    phase = np.cumsum(base * melody / BASE_RATE)
    phase = (phase - np.floor(phase)).astype(np.float32) / np.float32(0.6)
    is_open = phase < 1
    slope = np.sin(np.float32(2 * np.pi) * phase) * is_open * np.float32(base / BASE_RATE * np.pi / 0.6)
    return np.asarray(slope + np.float32(0.006) * noise(len(phase), rng) * (np.float32(0.3) + is_open))


def _through_formants(source: Sound, confidence: float, rhythm: Rhythm, rng: np.random.Generator) -> Sound:
    """Each frame filtered by its syllable's vowel, and tilted: who raises his voice has more of the high ones."""
    tract = np.exp(rng.normal(0, 0.05))  # shorter vocal tracts shift all formants up
    responses = formants.response(tract * _VOWELS, _BANDWIDTHS)  # [V, 257]
    vowel = rng.integers(len(_VOWELS), size=rhythm.syllables)[rhythm.syllable]
    tilt = 10 ** (5.0 * confidence * _OCTAVES / 20)
    return formants.filtered(source, responses * tilt, vowel)


def _swell(rhythm: Rhythm) -> Sound:
    """Each syllable swells and fades `[n]`; in a pause nothing is heard."""
    inside = np.clip(rhythm.place, 0, 1)
    return np.asarray(np.sqrt(4 * inside * (1 - inside)))
