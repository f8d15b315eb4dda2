"""Sound without weights: statistics of log-mel bands over time, and of pitch, energy, pauses and timbre."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Bool, Float32, Int64, RowProduct, list_parts
from models.encoders.base import EncoderSpec
from models.segments import (
    Float64,
    position_in,
    segment_first,
    segment_last,
    segment_mean,
    segment_of,
    segment_quantiles,
    segment_slope,
    segment_std,
    segment_sum,
    within,
)
from models.sound import (
    CHUNK_FRAMES,
    LOWEST_MEL_HZ,
    PITCH_HOP_SECONDS,
    Pitch,
    PitchTracker,
    filled_up,
    frame_starts,
    frames_at,
    hann,
    mel_filters,
)

CHUNK_SECONDS = 120.0  # sound taken at a time: bounds memory, and is enough to keep numpy busy

WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.010  # the usual analysis frame of speech (Rabiner & Schafer 1978)
FLOOR = 1e-7  # power at which a band counts as silent: -70 dB of full scale

VOICED = 0.5  # periodicity above which a frame counts as voiced (Boersma 1993 uses 0.45)
PAUSE_DB = 25.0  # below a sound's loud part counts as pause (Praat's silence threshold)

BAND_STATISTICS = 5
PROSODY_DIM = 32


class LogMelEncoder:
    """Statistics over time of frames that never cross from one sound into the next."""

    def __init__(self, rate: int, n_mels: int) -> None:
        self.rate, self.n_mels = rate, n_mels
        self.window, self.hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
        self.n_fft = 1 << (self.window - 1).bit_length()
        self.hann = hann(self.window)
        self.bands_of = RowProduct(mel_filters(rate, self.n_fft, n_mels))  # [bins] to [n_mels]
        self.pitch = PitchTracker(rate)

    @property
    def dim(self) -> int:
        """Length of the embedding."""
        return BAND_STATISTICS * self.n_mels + PROSODY_DIM

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n sounds; one shorter than a window is padded with silence."""
        parts = [self._encode(chunk) for chunk in _chunks(values, int(CHUNK_SECONDS * self.rate))]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), dtype=np.float32)

    def _encode(self, sounds: pa.Array) -> Float32:
        samples, offsets = filled_up(sounds, self.pitch.shortest)
        starts, frames = frame_starts(offsets, self.window, self.hop)
        mel, spectrum = self._analyse(samples, starts)
        pitch = self.pitch(samples, offsets)
        columns = [*band_statistics(mel, frames), *prosody(spectrum, pitch, frames, offsets, self.rate)]
        return np.stack(columns, axis=1).astype(np.float32)

    def _analyse(self, samples: Float32, starts: Int64) -> tuple[Float64, Spectrum]:
        """Log-mel bands `[n_mels, F]` and what else is read from the same spectra."""
        mel = np.empty((self.n_mels, len(starts)))
        shape = np.empty((4, len(starts)))
        for begin in range(0, len(starts), CHUNK_FRAMES):
            part = slice(begin, begin + CHUNK_FRAMES)
            framed = frames_at(samples, starts[part], self.window) * self.hann
            transformed = np.fft.rfft(framed, self.n_fft, axis=1)
            power: Float32 = np.square(transformed.real) + np.square(transformed.imag)  # [f, bins]
            power *= np.float32(1 / self.hann.sum() ** 2)
            bands = self.bands_of(power)
            mel[:, part] = np.log(bands.T.astype(np.float64) + FLOOR)
            shape[:, part] = self._shape(power)
        return mel, Spectrum(*shape)

    def _shape(self, power: Float32) -> Float64:
        """`[4, f]`: log energy, centroid in octaves, spread in octaves, flatness in log units."""
        sums = self._octaves(power).astype(np.float64)  # [f, 3]
        energy = sums[:, 0] + FLOOR
        centroid = sums[:, 1] / energy
        spread = np.sqrt(np.maximum(sums[:, 2] / energy - centroid**2, 0))
        flatness = np.log(power[:, 1:] + np.float32(FLOOR / 100)).mean(axis=1).astype(np.float64)
        return np.stack([np.log(energy), centroid, spread, flatness - np.log(energy / power.shape[1])])

    @cached_property
    def _octaves(self) -> RowProduct:
        """`[bins]` to energy, and its first two moments in octaves."""
        frequency = np.fft.rfftfreq(self.n_fft, 1 / self.rate)
        octave = np.log2(np.maximum(frequency, LOWEST_MEL_HZ) / 1000.0)
        return RowProduct(np.stack([np.ones_like(octave), octave, octave**2], axis=1).astype(np.float32))


class LogMelSpec(EncoderSpec):
    """Log-mel band statistics with pitch, energy and pause descriptors; needs no weights."""

    kind: ClassVar[str] = "log_mel"
    modality: ClassVar[str] = "audio"

    rate: int = Field(16_000, ge=8_000, le=48_000)
    """Samples per second that the cleaner must deliver."""
    n_mels: int = Field(40, ge=8, le=128)
    """Mel bands; the embedding holds 5 statistics of each and 32 descriptors of prosody."""

    @property
    def output_dim(self) -> int:
        """Length of the embedding."""
        return BAND_STATISTICS * self.n_mels + PROSODY_DIM

    def requires(self) -> Mapping[str, object]:
        """The sampling rate."""
        return {"rate": self.rate}

    def build(self) -> LogMelEncoder:
        """The encoder."""
        return LogMelEncoder(self.rate, self.n_mels)


class Spectrum(NamedTuple):
    """One number per frame, each `[F]`."""

    energy: Float64  # log power
    centroid: Float64  # octaves above 1 kHz
    spread: Float64  # octaves
    flatness: Float64  # log of geometric over arithmetic mean: 0 for white noise, very negative for a tone


def band_statistics(mel: Float64, frames: Int64) -> list[Float64]:
    """BAND_STATISTICS numbers for each band, each `[n]`: level, spread, low and high level, and movement."""
    low, high = segment_quantiles(mel, frames, (0.1, 0.9))
    mean, std = segment_mean(mel, frames), segment_std(mel, frames)
    step, steps = _differences(mel, frames)
    movement = np.log(segment_mean(np.abs(step), steps) + 0.05)
    # Levels lie between log(FLOOR) = -16 and 0, most of them around -11 with a deviation of 3.
    return [*(mean + 11) / 3, *(std - 2), *(low + 13) / 3, *(high + 9) / 3, *(movement + 0.5) * 2]


def prosody(spectrum: Spectrum, pitch: Pitch, frames: Int64, samples: Int64, rate: int) -> list[Float64]:
    """PROSODY_DIM numbers, each `[n]`: duration, energy and its rhythm, pauses, timbre, pitch and its movement."""
    seconds = np.diff(samples) / rate
    columns = [
        np.log(seconds) - 1,
        *_energy(spectrum.energy, frames, seconds),
        *_timbre(spectrum, frames),
        *_melody(pitch),
    ]
    assert len(columns) == PROSODY_DIM
    return columns


def _energy(energy: Float64, frames: Int64, seconds: Float64) -> list[Float64]:
    owner = segment_of(frames)
    low, middle, high = segment_quantiles(energy, frames, (0.1, 0.5, 0.95))
    loud = energy > (high - PAUSE_DB * np.log(10) / 10)[owner]
    step, steps = _differences(energy, frames)
    # Syllables are the rises of the smoothed contour through its own mean (after de Jong & Wempe 2009).
    smooth = _smoothed(energy, frames, 5)
    above = smooth > segment_mean(smooth, frames)[owner]
    rises, pauses = _onsets(above, frames), _onsets(~loud, frames)
    share = 1 - segment_mean(loud.astype(np.float64), frames)
    return [
        (segment_mean(energy, frames) + 6) / 2,
        segment_std(energy, frames) - 2,
        (low + 9) / 3,
        (middle + 6) / 2,
        (high + 4) / 2,
        np.log(segment_mean(np.abs(step), steps) + 0.05) + 1,
        _trend(energy, frames),
        share * 3,
        np.log1p(pauses / seconds),
        np.log(share * seconds / np.maximum(pauses, 1) + 0.05) + 2,
        np.log1p(rises / seconds) - 1,
    ]


def _timbre(spectrum: Spectrum, frames: Int64) -> list[Float64]:
    # Weighted by energy, so that pauses say nothing about the voice.
    power = np.exp(0.5 * spectrum.energy)
    total = segment_sum(power, frames)
    columns = []
    for values, centre in ((spectrum.centroid, -0.5), (spectrum.spread, 1.0), (spectrum.flatness, -4.0)):
        mean = segment_sum(values * power, frames) / total
        columns += [mean - centre, segment_std(values, frames)]
    return [*columns, _trend(spectrum.centroid, frames)]


def _melody(pitch: Pitch) -> list[Float64]:
    voiced = pitch.strength > VOICED
    offsets = within(voiced, pitch.offsets)
    octave = pitch.octave[voiced]
    times = PITCH_HOP_SECONDS * position_in(pitch.offsets)[voiced].astype(np.float64)
    low, middle, high = segment_quantiles(octave, offsets, (0.1, 0.5, 0.9))
    step, steps = _differences(octave, offsets)
    gentle = np.clip(step, -0.25, 0.25)  # a larger jump is an octave error or a new phrase
    share = segment_mean(voiced.astype(np.float64), pitch.offsets)
    return [
        2 * segment_mean(octave, offsets),
        2 * middle,
        2 * low,
        2 * high,
        4 * segment_std(octave, offsets),
        2 * (high - low),
        np.tanh(4 * segment_slope(octave, times, offsets)),
        2 * (segment_last(octave, offsets) - segment_first(octave, offsets)),
        20 * segment_mean(gentle, steps),
        np.log(segment_mean(np.abs(gentle), steps) + 0.005) + 4,
        3 * share - 1.5,
        4 * segment_mean(pitch.strength, pitch.offsets) - 2,
        4 * segment_std(pitch.strength, pitch.offsets) - 1,
    ]


def _trend(values: Float64, frames: Int64) -> Float64:
    """Change over the whole sound along the fitted line, softly bounded."""
    return np.tanh(segment_slope(values, position_in(frames).astype(np.float64), frames) * np.diff(frames) / 4)


def _differences(values: Float64, offsets: Int64) -> tuple[Float64, Int64]:
    """Steps between neighbours of a segment, and the segments' offsets into them."""
    inside = np.ones(max(values.shape[-1] - 1, 0), dtype=np.bool_)
    borders = offsets[1:-1]
    inside[borders[(borders > 0) & (borders < values.shape[-1])] - 1] = False
    kept = np.concatenate([inside, [False]])[: values.shape[-1]]
    return np.diff(values, axis=-1)[..., inside], within(kept, offsets)


def _smoothed(values: Float64, offsets: Int64, reach: int) -> Float64:
    """Mean over up to `reach` neighbours on each side, within the segment."""
    # Sums of the segment's own values, so that no rounding comes from its neighbours.
    position = position_in(offsets)
    length = np.repeat(np.diff(offsets), np.diff(offsets))
    total, count = np.zeros_like(values), np.zeros_like(values)
    for step in range(-reach, reach + 1):
        inside = (position + step >= 0) & (position + step < length)
        total += np.where(inside, np.roll(values, -step), 0.0)
        count += inside
    return total / count


def _onsets(flags: Bool, offsets: Int64) -> Float64:
    """`[n]`: how often the flag turns on."""
    turned = flags.copy()
    turned[1:] &= ~flags[:-1]
    filled = offsets[:-1]
    turned[filled] = flags[filled]
    return segment_sum(turned.astype(np.float64), offsets)


def _chunks(sounds: pa.Array, samples: int) -> Iterator[pa.Array]:
    """Slices of about so many samples; at least one row each."""
    _, offsets = list_parts(sounds)
    start = 0
    while start < len(sounds):
        stop = max(int(np.searchsorted(offsets, offsets[start] + samples, side="right")) - 1, start + 1)
        yield sounds.slice(start, stop - start)
        start = stop
