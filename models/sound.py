"""Signal processing of sounds in numpy: frames that never cross sounds, mel filters, and a pitch tracker."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.arrow import Float32, Int64, list_parts
from models.segments import Float64

CHUNK_FRAMES = 2048  # frames transformed at a time: 2048·512·4 bytes = 4 MiB
LOWEST_MEL_HZ = 50.0  # below lies hum

PITCH_RATE = 4000  # pitch is searched below 2 kHz
PITCH_WINDOW_SECONDS, PITCH_HOP_SECONDS = 0.050, 0.020  # three periods of the lowest pitch
PITCH_HZ = (60.0, 500.0)  # bass to child's voice
REFERENCE_HZ = 160.0  # between the usual male and female pitch
POWER_FLOOR = 1e-7  # correlation of what counts as silence


class Pitch(NamedTuple):
    """One number per pitch frame, each `[P]`; `offsets` `[n + 1]` says whose they are."""

    octave: Float64  # above REFERENCE_HZ
    strength: Float64  # periodicity from 0 to 1
    offsets: Int64


class PitchTracker:
    """Pitch by the autocorrelation of a windowed frame over that of the window (Boersma 1993), at a reduced rate."""

    def __init__(self, rate: int) -> None:
        self.decimation = max(rate // PITCH_RATE, 1)
        self.rate = rate / self.decimation
        self.window = round(PITCH_WINDOW_SECONDS * self.rate)
        self.hop = round(PITCH_HOP_SECONDS * self.rate)
        self.n_fft = 1 << (2 * self.window - 1).bit_length()  # long enough that the correlation does not wrap
        self.hann = hann(self.window)
        self.lags = np.arange(int(self.rate / PITCH_HZ[1]), int(self.rate / PITCH_HZ[0]) + 1)
        own = self._correlation(self.hann[None])[0]
        self.own = own / own[0]

    @property
    def shortest(self) -> int:
        """Samples that a sound needs, at the full rate, to hold one frame."""
        return self.window * self.decimation

    def __call__(self, samples: Float32, offsets: Int64) -> Pitch:
        """Pitch and periodicity of every frame of every sound."""
        starts, frames = frame_starts(offsets, self.window * self.decimation, self.hop * self.decimation)
        octave, strength = np.empty(len(starts)), np.empty(len(starts))
        for begin in range(0, len(starts), CHUNK_FRAMES):
            part = slice(begin, begin + CHUNK_FRAMES)
            framed = frames_at(samples, starts[part], self.window * self.decimation)
            slow = sum(framed[:, shift :: self.decimation] for shift in range(self.decimation))  # [f, window]
            octave[part], strength[part] = self._peak(np.asarray(slow, dtype=np.float32))
        return Pitch(octave, strength, frames)

    def _peak(self, framed: Float32) -> tuple[Float64, Float64]:
        centred = framed - framed.mean(axis=1, keepdims=True)
        correlation = self._correlation(centred * self.hann)  # [f, lags]
        power = correlation[:, :1]
        ratio = correlation / (power + np.float32(POWER_FLOOR)) / self.own  # [f, lags]
        inside = ratio[:, self.lags[0] : self.lags[-1] + 1]
        # A small reward for short lags, so that of equal peaks the fundamental wins (Boersma's octave cost, 0.01).
        best = (inside - 0.01 * np.log2(self.lags / self.lags[0])).argmax(axis=1) + self.lags[0]
        row = np.arange(len(ratio))
        left, middle, right = (ratio[row, best + step].astype(np.float64) for step in (-1, 0, 1))
        bend = left - 2 * middle + right  # a parabola through the three
        shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
        lag = best + np.clip(shift, -0.5, 0.5)
        return np.log2(self.rate / lag / REFERENCE_HZ), np.clip(middle, 0.0, 1.0)

    def _correlation(self, framed: Float32) -> Float32:
        transformed = np.fft.rfft(framed, self.n_fft, axis=1)
        power = transformed.real**2 + transformed.imag**2
        return np.fft.irfft(power, self.n_fft, axis=1)[:, : self.lags[-1] + 2].astype(np.float32)


def mel_filters(rate: int, n_fft: int, n_mels: int) -> Float32:
    """`[n_fft // 2 + 1, n_mels]` triangular filters, evenly spaced in mel = 2595·log10(1 + f/700), each of area 1.

    The scale is O'Shaughnessy's (1987), as in HTK; a filter narrower than the spectrum's grid is as wide as one bin.
    """
    lowest, highest = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST_MEL_HZ, rate / 2))
    edges_mel = np.linspace(lowest, highest, n_mels + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    frequency = np.fft.rfftfreq(n_fft, 1 / rate)[:, None]  # [bins, 1]
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    width = rate / n_fft
    rise = (frequency - lower) / np.maximum(centre - lower, width)
    fall = (upper - frequency) / np.maximum(upper - centre, width)
    filters = np.maximum(np.minimum(rise, fall), 0)
    normed: Float32 = (filters / np.maximum(filters.sum(axis=0), 1e-9)).astype(np.float32)
    return normed


def frame_starts(offsets: Int64, window: int, hop: int) -> tuple[Int64, Int64]:
    """Where each frame starts, `[F]`, and `[n + 1]` offsets of the sounds' frames; every sound holds at least one."""
    count = 1 + (np.diff(offsets) - window) // hop
    frames = np.concatenate([[0], np.cumsum(count)])
    number = np.arange(frames[-1]) - np.repeat(frames[:-1], count)
    return np.repeat(offsets[:-1], count) + number * hop, frames


def hann(length: int) -> Float32:
    """`[length]` Hann window, symmetric and nowhere zero."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)


def frames_at(samples: Float32, starts: Int64, window: int) -> Float32:
    """`[F, window]` samples from each start on, copied."""
    framed: Float32 = np.lib.stride_tricks.sliding_window_view(samples, window)[starts]  # [f, window]
    return framed


def filled_up(sounds: pa.Array, shortest: int) -> tuple[Float32, Int64]:
    """Samples of all sounds (list<float32>) and `[n + 1]` offsets; zeros stand behind one of less than `shortest`."""
    values, offsets = list_parts(sounds)
    samples = values.to_numpy(zero_copy_only=False)
    lengths = np.diff(offsets)
    if (lengths >= shortest).all():
        return samples, offsets
    longer = np.concatenate([[0], np.cumsum(np.maximum(lengths, shortest))])
    out = np.zeros(longer[-1], dtype=np.float32)
    out[np.repeat(longer[:-1] - offsets[:-1], lengths) + np.arange(len(samples))] = samples
    return out, longer
