"""From untrusted bytes to mono samples: signatures, limits, decoding, mixing, rate, loudness."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Final, Literal, NamedTuple

import numpy as np
import soundfile
import soxr

from models.arrow import Float32
from transforms.modalities.external import Refused

MAX_CHANNELS: Final = 8  # 7.1 surround, the most that consumer formats carry
RATES_HZ: Final = range(500, 384_001)  # from body sounds to the fastest PCM converters sold
BLOCK_FRAMES: Final = 65_536  # decoded at a time: 2 MiB of 8 channels
UNKNOWN_LENGTH: Final = 2**62  # libsndfile reports 2^63 - 1 frames where the header says nothing
SILENCE: Final = 10 ** (-70 / 20)  # RMS below which a sound is silent: the absolute gate of ITU-R BS.1770

# (offset, bytes, name). A signature decides whether the decoder may see the content at all: libsndfile reads
# some 25 formats, most of them of the last century. Source: the formats' specifications.
_SIGNATURES: Final = (
    (8, b"WAVE", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (8, b"AIFF", "aiff"),
    (8, b"AIFC", "aiff"),
    (8, b"AVI ", "avi"),
    (4, b"ftyp", "mp4"),
    (0, b"\x1a\x45\xdf\xa3", "webm"),
    (0, b".snd", "au"),
    (0, b"caff", "caf"),
    (0, b"riff", "w64"),
    (0, b"#!AMR", "amr"),
    (0, b"MThd", "midi"),
    (0, b"wvpk", "wavpack"),
    (0, b"Creative Voice File", "voc"),
)
_BYTE_ORDER: Final[dict[bytes, Literal["little", "big"]]] = {b"RIFF": "little", b"RIFX": "big", b"FORM": "big"}
_STREAMED: Final = 2**32 - 1  # the size that is written where it was not known, as by `ffmpeg … -f wav -`


class Sound(NamedTuple):
    """Samples of one sound, and what was wrong with it."""

    samples: Float32
    """`[n]`, |x| <= 1."""
    codes: frozenset[str]


def decode(content: memoryview, formats: Sequence[str], max_seconds: float, rate: int, loudness: float | None) -> Sound:
    """Mono sound at `rate` Hz of at most `max_seconds`; what lies beyond is never decoded.

    Raises:
        Refused: with `format_refused`, `decode_failed`, `empty` or `non_finite` (no sample was a number).
    """
    content = content.cast("B")  # Arrow's buffers count as signed bytes
    _check_signature(content, formats)
    try:
        stream = soundfile.SoundFile(BytesIO(content))
    except soundfile.SoundFileError:
        raise Refused("decode_failed") from None
    with stream:
        _check_header(stream, formats)
        samples, codes = _read(stream, math.ceil(max_seconds * stream.samplerate))
        if _cut_short(content):
            codes |= {"length_mismatch"}
        samples = normalize_loudness(_resample(samples, stream.samplerate, rate), loudness)
    samples = samples[: math.ceil(max_seconds * rate)]
    if not len(samples):  # too short to fill one sample at `rate`
        raise Refused("empty")
    return Sound(samples, codes)


def normalize_loudness(samples: Float32, loudness: float | None) -> Float32:
    """Samples scaled to an RMS of `loudness` dBFS, as far as the peak allows; None limits the peak alone.

    gain = min(10^(loudness/20) / RMS, 1 / peak), with RMS = √(mean of x²). Silence stays as it is.
    """
    peak = float(np.abs(samples).max(initial=0))
    rms = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    if loudness is None or rms < SILENCE:
        gain = 1.0
    else:
        gain = 10 ** (loudness / 20) / rms
    if peak * gain > 1:
        gain = 1 / peak
    scaled: Float32 = samples * np.float32(gain)
    return scaled.clip(-1, 1)  # rounding may have stepped over 1


def _check_signature(content: memoryview, formats: Sequence[str]) -> None:
    head = bytes(content[_after_id3(content) :][:32])
    found = _format(head)
    if found is None:
        raise Refused("decode_failed")
    if found not in formats:
        raise Refused("format_refused")


def _after_id3(content: memoryview) -> int:
    """Where the sound begins: behind ID3v2 tags, which may stand before any format, and their padding with zeros.

    libsndfile looks for all its formats there, so what begins there must be allowed, too.
    """
    position = 0
    while bytes(content[position : position + 3]) == b"ID3" and position + 10 <= len(content):
        position += 10 + sum(
            size << 7 * place for place, size in enumerate(reversed(content[position + 6 : position + 10]))
        )
    while 0 < position < len(content) and content[position] == 0:
        position += 1
    return position


def _format(head: bytes) -> str | None:
    for offset, signature, name in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return name
    frame_sync = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0  # 11 set bits begin MPEG audio
    return "mp3" if frame_sync else None


def _check_header(stream: soundfile.SoundFile, formats: Sequence[str]) -> None:
    name = {"WAVEX": "wav", "RF64": "wav"}.get(stream.format, stream.format.lower())
    if name not in formats or stream.channels > MAX_CHANNELS or stream.samplerate not in RATES_HZ:
        raise Refused("format_refused")
    if stream.frames == 0:
        raise Refused("empty")


def _read(stream: soundfile.SoundFile, limit: int) -> tuple[Float32, frozenset[str]]:
    """The first `limit` frames as mono, |x| <= 1; samples that are no numbers are zero."""
    codes = set()
    blocks, numbers = [], False
    for block in _blocks(stream, min(limit, stream.frames)):  # [frames, channels]
        good = np.isfinite(block)
        numbers |= bool(good.any())
        if not good.all():
            codes.add("non_finite")
            block = np.where(good, block, np.float32(0))
        blocks.append(_mono(block))
    if not blocks:
        raise Refused("decode_failed")
    if not numbers:
        raise Refused("non_finite")
    samples = np.concatenate(blocks)
    declared = stream.frames if stream.frames < UNKNOWN_LENGTH else len(samples)
    if len(samples) < min(declared, limit):
        codes.add("length_mismatch")
    elif declared > limit or _goes_on(stream):
        codes.add("too_long")
    samples /= max(1.0, float(np.abs(samples).max()))
    return samples, frozenset(codes)


def _mono(block: Float32) -> Float32:
    """`[frames]` means over the channels of `[frames, channels]`."""
    first: Float32 = block[:, 0]
    if block.shape[1] == 1:
        return first
    # In float64, because float files may hold 1e38; channel by channel, because numpy reduces a short last axis slowly.
    total = first.astype(np.float64)
    for channel in range(1, block.shape[1]):
        total += block[:, channel]
    mixed: Float32 = (total / block.shape[1]).astype(np.float32)
    return mixed


def _blocks(stream: soundfile.SoundFile, frames: int) -> Iterator[Float32]:
    """Decoded blocks, `[frames, channels]`, up to where the file is broken or ends."""
    whole = True
    while whole and frames > 0:
        block = np.full((min(frames, BLOCK_FRAMES), stream.channels), np.nan, dtype=np.float32)
        try:
            block = stream.read(out=block)
        except soundfile.SoundFileError:
            # What was decoded before the break stands in the block all the same; so does the end of a FLAC file
            # that does not declare its length, where libsndfile reports an error, too.
            block, whole = block[: _filled(block)], False
        if not len(block):
            return
        frames -= len(block)
        yield block


def _filled(block: Float32) -> int:
    """How many frames of a block come before those that are NaN to its end."""
    numbers = np.flatnonzero(~np.isnan(block).all(axis=1))
    return int(numbers[-1]) + 1 if len(numbers) else 0


def _goes_on(stream: soundfile.SoundFile) -> bool:
    """Whether a stream of unknown length holds more than what was read."""
    return stream.frames >= UNKNOWN_LENGTH and any(True for _ in _blocks(stream, 1))


def _cut_short(content: memoryview) -> bool:
    """Whether a WAV or AIFF file lacks some of the sound that it declares; libsndfile corrects that silently."""
    order = _BYTE_ORDER.get(bytes(content[:4]))
    position = 12
    while order is not None and position + 8 <= len(content):
        name = bytes(content[position : position + 4])
        length = int.from_bytes(content[position + 4 : position + 8], order)
        if name in (b"data", b"SSND"):
            return length != _STREAMED and position + 8 + length > len(content)
        position += 8 + length + length % 2  # chunks start at even positions
    return False


def _resample(samples: Float32, from_rate: int, to_rate: int) -> Float32:
    if from_rate == to_rate:
        return samples
    resampled: Float32 = soxr.resample(samples, from_rate, to_rate, quality="HQ")
    return resampled
