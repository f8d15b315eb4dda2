"""Broken values of every sort: bytes that are no picture, sounds that end too early, text that is no text."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import numpy as np
import pyarrow as pa
import soundfile
from PIL import Image

LONG_REVIEW_WORDS = 40_000  # 220 kB, eleven times what a text cleaner keeps by default
LONG_SOUND_SECONDS = 1_800  # half an hour, sixty times what an audio cleaner keeps by default
LONG_SERIES = 5_000  # ten times what a series keeps by default
_RATE = 8_000  # Hz


def truncated_jpeg(rng: np.random.Generator) -> bytes:
    """A good JPEG whose transfer broke off half-way."""
    pixels = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()[: len(out.getvalue()) // 2]


def random_bytes(rng: np.random.Generator) -> bytes:
    """Bytes without any format's signature."""
    return b"\x01\x02" + rng.bytes(2_000)


def html_page(_: np.random.Generator) -> bytes:
    """What a web server sent instead of the file."""
    return b"<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>"


def header_without_pixels(_: np.random.Generator) -> bytes:
    """A JPEG that stops after its first segment."""
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def pnm_picture(_: np.random.Generator) -> bytes:
    """A readable picture in a format that nobody allowed."""
    return b"P6\n8 8\n255\n" + bytes(8 * 8 * 3)


def giant_png(_: np.random.Generator) -> bytes:
    """A few bytes that promise 100,000 x 100,000 pixels: 30 GB, were they decoded."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", zlib.compress(bytes(1_000)))


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def latin1_text(_: np.random.Generator) -> bytes:
    """A review in another encoding than UTF-8."""
    return "Très déçu, la fermeture éclair a cassé dès le premier été.".encode("latin-1")


def cut_character(_: np.random.Generator) -> bytes:
    """UTF-8 cut in the middle of its last character."""
    return "Отличная лампа, рекомендую всем".encode()[:-1]


def endless_text(_: np.random.Generator) -> bytes:
    """A review that somebody pasted again and again."""
    return b"great lamp " * (LONG_REVIEW_WORDS // 2)


def blank_text(_: np.random.Generator) -> bytes:
    """White space of several kinds."""
    return " \t\n\u00a0\u2003 ".encode()


def _tone(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    times = np.arange(int(seconds * _RATE), dtype=np.float32) / _RATE
    return np.asarray(0.3 * np.sin(2 * np.pi * 220 * times), dtype=np.float32)


def _written(samples: np.ndarray[tuple[int], np.dtype[np.generic]], container: str, subtype: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, _RATE, format=container, subtype=subtype)
    return _without_date(out.getvalue()) if subtype == "FLOAT" else out.getvalue()


def _without_date(wav: bytes) -> bytes:
    """libsndfile dates float WAVs: 4 bytes after the id, size and version of the chunk PEAK (4 bytes each)."""
    start = wav.index(b"PEAK") + 12
    return wav[:start] + bytes(4) + wav[start + 4 :]


def truncated_wav(_: np.random.Generator) -> bytes:
    """A WAV whose header declares twice as many samples as follow."""
    whole = _written(_tone(1.0), "WAV", "PCM_16")
    return whole[: 44 + (len(whole) - 44) // 2]  # 44 bytes: the canonical RIFF header


def silent_header(_: np.random.Generator) -> bytes:
    """A valid WAV without a single sample."""
    return _written(np.zeros(0, dtype=np.float32), "WAV", "PCM_16")


def nan_sound(_: np.random.Generator) -> bytes:
    """A float WAV with a stretch of NaN in it."""
    samples = _tone(0.8)
    samples[1_000:1_200] = np.nan
    return _written(samples, "WAV", "FLOAT")


def all_nan_sound(_: np.random.Generator) -> bytes:
    """A float WAV without a single number in it."""
    return _written(np.full(_RATE // 2, np.nan, dtype=np.float32), "WAV", "FLOAT")


def au_sound(_: np.random.Generator) -> bytes:
    """A readable sound in a format that nobody allowed."""
    return _written(_tone(0.5), "AU", "PCM_16")


@cache
def _long_flac() -> bytes:
    wave = np.array([0, 3_000, 6_000, 3_000, 0, -3_000, -6_000, -3_000], dtype=np.int16)  # predicted exactly
    return _written(np.tile(wave, LONG_SOUND_SECONDS * _RATE // len(wave)), "FLAC", "PCM_16")


def endless_sound(_: np.random.Generator) -> bytes:
    """A FLAC of half an hour in little space."""
    return _long_flac()


def series_of(event: pa.StructType, count: int, value: float, rng: np.random.Generator) -> pa.Array:
    """One list of events, an hour apart before 2026-06-01; every third has this value in its last field of floats."""
    floats = [index for index, field in enumerate(event) if pa.types.is_floating(field.type)]
    columns = []
    for index, field in enumerate(event):
        if pa.types.is_timestamp(field.type):
            values = 1_780_272_000_000_000 - np.arange(count)[::-1] * 3_600_000_000
        elif index == floats[-1]:
            values = np.where(np.arange(count) % 3 == 0, value, 10.0)
        else:
            values = rng.integers(1, 9, count)
        columns.append(pa.array(values).cast(field.type))
    structs = pa.StructArray.from_arrays(columns, fields=list(event))
    return pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), structs)
