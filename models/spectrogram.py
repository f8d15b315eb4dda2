"""Sounds as log-mel pictures in single bytes: what a network of our own hears."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Float32, RowProduct, list_parts
from models.sound import CHUNK_FRAMES, filled_up, frame_starts, frames_at, hann, mel_filters

WINDOW_SECONDS, HOP_SECONDS = 0.032, 0.016  # 512 and 256 samples at 16 kHz: bands of 31 Hz tell voices' pitches apart
# Power from -70 dB of full scale to its mean at 0 dB in 256 levels of 0.27 dB each (one hears 1 dB).
FLOOR = 1e-7
LEVELS = 255.0 / -np.log(FLOOR)


class Spectrogram:
    """Log-mel bands of frames that never cross from one sound into the next."""

    def __init__(self, rate: int, n_mels: int) -> None:
        self.window, self.hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
        self.n_mels = n_mels
        self.n_fft = 1 << (self.window - 1).bit_length()
        self.hann = hann(self.window)
        self.bands_of = RowProduct(mel_filters(rate, self.n_fft, n_mels))  # [bins] to [n_mels]

    def __call__(self, sounds: pa.Array, most_frames: int) -> pa.Array:
        """list<fixed_size_list<uint8>[n_mels]> of n sounds (list<float32>): one list of bands per frame.

        A sound shorter than a window is filled with silence; of a longer one than `most_frames` the beginning counts.
        """
        kept = _longest((most_frames - 1) * self.hop + self.window, sounds)
        samples, offsets = filled_up(kept, self.window)
        starts, frames = frame_starts(offsets, self.window, self.hop)
        bands = np.empty((len(starts), self.n_mels), np.uint8)
        for begin in range(0, len(starts), CHUNK_FRAMES):
            part = slice(begin, begin + CHUNK_FRAMES)
            bands[part] = self._bands(frames_at(samples, starts[part], self.window))
        values = pa.FixedSizeListArray.from_arrays(pa.array(bands.reshape(-1)), self.n_mels)
        return pa.ListArray.from_arrays(pa.array(frames.astype(np.int32)), values)

    def _bands(self, framed: Float32) -> npt.NDArray[np.uint8]:
        transformed = np.fft.rfft(framed * self.hann, self.n_fft, axis=1)
        power = np.square(transformed.real) + np.square(transformed.imag)  # [f, bins]
        power = (power / self.hann.sum() ** 2).astype(np.float32)
        mel = self.bands_of(power)
        levels = (np.log(mel + np.float32(FLOOR)) - np.log(np.float32(FLOOR))) * np.float32(LEVELS)
        bands: npt.NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return bands


def _longest(samples: int, sounds: pa.Array) -> pa.Array:
    """The sounds, each cut after so many samples."""
    values, offsets = list_parts(sounds)
    lengths = np.diff(offsets)
    if not (lengths > samples).any():
        return sounds
    kept = np.minimum(lengths, samples)
    ends = np.concatenate([[0], np.cumsum(kept)])
    place = np.repeat(offsets[:-1] - ends[:-1], kept) + np.arange(ends[-1])
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), values.take(pa.array(place)))
