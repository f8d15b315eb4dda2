"""Sounds for tests: whole files of every format, and files put together byte by byte."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import soundfile

from models.arrow import Float32

TONE_HZ = 440.0


def tone(rate: int, seconds: float = 0.5, channels: int = 1, amplitude: float = 0.5) -> Float32:
    """`[frames, channels]` of a sine, the same in each channel."""
    wave = amplitude * np.sin(2 * np.pi * TONE_HZ * np.arange(int(rate * seconds)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def encode(samples: Float32, rate: int, container: str = "WAV", subtype: str | None = None) -> bytes:
    """Samples as a sound file."""
    file = BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def with_data_size(wav: bytes, size: int) -> bytes:
    """A WAV file whose header declares `size` bytes of sound."""
    place = wav.index(b"data") + 4
    return wav[:place] + struct.pack("<I", size) + wav[place + 4 :]


def without_length(flac: bytes) -> bytes:
    """A FLAC file whose header does not say how many samples follow: 36 bits of zeros at the end of 18 + 8 bytes."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


def with_channels(wav: bytes, channels: int) -> bytes:
    """A WAV file whose header declares so many channels (behind 22 bytes) and a frame as long as they need."""
    return wav[:22] + struct.pack("<H", channels) + wav[24:32] + struct.pack("<H", 2 * channels % 2**16) + wav[34:]


def with_id3(file: bytes, size: int = 100) -> bytes:
    """A file behind an ID3v2.4 tag of so many bytes, fewer than 128, of which the last says so in 7 bits."""
    return b"ID3\x04\0\0\0\0\0" + bytes([size]) + bytes(size) + file


def some_nan(rate: int) -> Float32:
    """A tone of which 10 samples are NaN and one is infinite."""
    samples = tone(rate)
    samples[100:110] = np.nan
    samples[200] = np.inf
    return samples
