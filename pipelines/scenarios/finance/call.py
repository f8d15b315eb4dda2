"""A telephone call: a pressed, trembling voice shows pressure; a slow one with pauses and sighs evades."""

from __future__ import annotations

import io
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from pipelines.scenarios.streams import Floats

Sound: TypeAlias = npt.NDArray[np.float32]

BASE_RATE = 16_000  # Hz; everything is synthesized at this rate and then resampled
RATES = ((8_000, 0.45), (16_000, 0.8), (22_050, 0.88), (44_100, 0.95), (48_000, 1.0))  # Hz, cumulative shares
SECONDS = (0.7, 1.4)
_STEREO = 0.15
_FLAC = 0.5
_MULAW = 0.5  # of the 8 kHz WAV files: what telephone systems write
_LANDLINE = 0.2  # share of calls whose lowest tones the line cuts off

# First three formants in Hz of i, e, a, o, u and ə (Peterson & Barney 1952, men's means, rounded).
_VOWELS = np.array(
    [
        [270, 2290, 3010],
        [530, 1840, 2480],
        [730, 1090, 2440],
        [570, 840, 2410],
        [300, 870, 2240],
        [490, 1350, 1690],
    ]
)
_WIDTHS = np.array([70.0, 100.0, 150.0])  # Hz, bandwidths of a modal voice's formants
_FRAME, _HOP = 512, 256  # 32 ms with half overlap: the vowel changes from syllable to syllable
_WINDOW = np.hanning(_FRAME + 1)[:-1].astype(np.float32)  # sums to 1 at half overlap
_HERTZ = np.fft.rfftfreq(_FRAME, 1 / BASE_RATE)  # [257]
_OCTAVES = np.log2(np.maximum(_HERTZ, 125) / 500)  # [257] above 500 Hz, where speech has its middle


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
    voice += _noise(samples, rng) * np.float32(10 ** (rng.uniform(-62, -50) / 20))  # the line, 50 to 62 dB below
    return _encode(voice * np.float32(rng.uniform(0.2, 0.9)), rng)


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
    breath = _noise(samples, rng) * np.float32(0.006 * np.exp(-0.8 * candour))
    return np.asarray(slope + breath * (np.float32(0.3) + is_open))


def _shaped(source: Sound, pressure: float, syllables: Syllables, rng: np.random.Generator) -> Sound:
    """Each frame `[n]` filtered by its vowel and tilted: a voice under pressure is tense and bright, else soft."""
    tract = np.exp(rng.normal(0, 0.06))  # shorter vocal tracts shift all formants up
    vowels = tract * _VOWELS[rng.integers(len(_VOWELS), size=syllables.total)]  # [S, 3]
    tilt_db = 4.2 * pressure * _OCTAVES
    if rng.random() < _LANDLINE:
        tilt_db = tilt_db - 12 * np.clip(np.log2(300 / np.maximum(_HERTZ, 30)), 0, None)  # 12 dB per octave
    response = (_resonance(vowels) * 10 ** (tilt_db / 20)).astype(np.float32)  # [S, 257]
    padded = np.concatenate([np.zeros(_HOP, np.float32), source, np.zeros(_FRAME, np.float32)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]  # [F, 512]
    middles = np.minimum(np.arange(len(frames)) * _HOP, len(source) - 1)
    filtered = np.fft.irfft(np.fft.rfft(frames * _WINDOW) * response[syllables.number[middles]])  # [F, 512]
    halves = np.zeros((len(frames) + 1, _HOP), dtype=np.float32)
    halves[:-1] += filtered[:, :_HOP]
    halves[1:] += filtered[:, _HOP:]
    return halves.reshape(-1)[_HOP : _HOP + len(source)]


def _resonance(formants: Floats) -> Floats:
    """Magnitude `[S, 257]` of second-order resonators in series at formants `[S, 3]`, each 1 at 0 Hz."""
    middle, width = formants[..., None], _WIDTHS[:, None]
    gain = middle**2 / np.sqrt((middle**2 - _HERTZ**2) ** 2 + (width * _HERTZ) ** 2)  # [S, 3, 257]
    product: Floats = gain.prod(axis=1)
    return product


def _loudness(syllables: Syllables) -> Sound:
    """Each syllable swells and fades `[n]` within the spoken part of its time."""
    inside = np.minimum(syllables.place / np.float32(syllables.spoken), 1)
    return np.asarray(np.sqrt(4 * inside * (1 - inside)))


@cache
def _tape() -> Sound:
    """Noise to cut pieces from (16 s): drawing it anew for every call would take a quarter of all the time."""
    return np.random.default_rng(2).standard_normal(1 << 18, dtype=np.float32)


def _noise(samples: int, rng: np.random.Generator) -> Sound:
    """White noise `[n]` of standard deviation 1."""
    start = int(rng.integers((1 << 18) - samples))
    return _tape()[start : start + samples]


def resample(sound: Sound, rate: int) -> Sound:
    """From BASE_RATE to `rate` by cutting or padding the spectrum: exact for a band-limited sound."""
    if rate == BASE_RATE:
        return sound
    padded = np.pad(sound, (0, -len(sound) % 320))  # at a multiple of 320 the new length is whole at every rate
    length = len(padded) * rate // BASE_RATE
    spectrum = np.fft.rfft(padded)[: length // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, length) * np.float32(rate / BASE_RATE))


def _encode(sound: Sound, rng: np.random.Generator) -> bytes:
    chance, is_stereo, is_flac, is_mulaw, left = rng.random(5)
    rate = next(rate for rate, share in RATES if chance < share)
    sound = np.clip(resample(sound, rate), -0.999, 0.999)
    if is_stereo < _STEREO:
        sound = np.stack([sound * (0.5 + 0.5 * left), sound * (1 - 0.5 * left)], axis=1)  # [n, 2]
    container = "FLAC" if is_flac < _FLAC else "WAV"
    is_telephone = container == "WAV" and rate == 8_000 and is_mulaw < _MULAW
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format=container, subtype="ULAW" if is_telephone else "PCM_16")
    return out.getvalue()
