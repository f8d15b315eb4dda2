"""F38: odd sounds, each decoded by rule or refused under its code; and sound bombs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from models.arrow import Float32
from tests.faults.costs import costs
from tests.transforms.modalities.sounds import (
    TONE_HZ,
    encode,
    some_nan,
    tone,
    with_channels,
    with_data_size,
    with_id3,
    without_length,
)
from transforms.modalities.audio import AudioSpec

RATE = 16_000
SPEC = AudioSpec(column="call")
WAV = encode(tone(16_000), 16_000)
FLAC = encode(tone(16_000), 16_000, "FLAC")
LONG_FLAC = encode(tone(16_000, 5.0), 16_000, "FLAC")
MP3 = encode(tone(16_000, 2.0), 16_000, "MP3")
OGG = encode(tone(16_000), 16_000, "OGG")
SILENCE = np.zeros((8_000, 1), np.float32)

# name -> file, expected codes, expected seconds (None: masked)
GOLDEN: dict[str, tuple[bytes, list[str], float | None]] = {
    "8 channels": (encode(tone(16_000, channels=8), 16_000), [], 0.5),
    "9 channels": (encode(tone(16_000, channels=9), 16_000), ["format_refused"], None),
    "8 kHz": (encode(tone(8_000), 8_000), [], 0.5),
    "44.1 kHz": (encode(tone(44_100), 44_100), [], 0.5),
    "192 kHz": (encode(tone(192_000), 192_000), [], 0.5),
    "an impossible rate": (encode(tone(16_000), 1_000_000), ["format_refused"], None),
    "8 bit": (encode(tone(16_000), 16_000, "WAV", "PCM_U8"), [], 0.5),
    "24 bit": (encode(tone(16_000), 16_000, "WAV", "PCM_24"), [], 0.5),
    "32 bit": (encode(tone(16_000), 16_000, "WAV", "PCM_32"), [], 0.5),
    "float": (encode(tone(16_000), 16_000, "WAV", "FLOAT"), [], 0.5),
    "float far beyond 1": (encode(tone(16_000, amplitude=1e30), 16_000, "WAV", "FLOAT"), [], 0.5),
    "µ-law": (encode(tone(16_000), 16_000, "WAV", "ULAW"), [], 0.5),
    "extensible WAV": (encode(tone(16_000), 16_000, "WAVEX"), [], 0.5),
    "FLAC": (FLAC, [], 0.5),
    "AIFF": (encode(tone(16_000), 16_000, "AIFF"), [], 0.5),
    "MP3": (MP3, [], 2.0),
    "Ogg Vorbis": (OGG, [], 0.5),
    "Ogg Opus": (encode(tone(16_000), 16_000, "OGG", "OPUS"), [], 0.5),
    "Core Audio": (encode(tone(16_000), 16_000, "CAF"), ["format_refused"], None),
    "no bytes": (b"", ["empty"], None),
    "no frames": (encode(np.zeros((0, 1), np.float32), 16_000), ["empty"], None),
    "one frame": (encode(tone(16_000)[:1], 16_000), [], 1 / 16_000),
    "one frame at 192 kHz": (encode(tone(192_000)[:1], 192_000), ["empty"], None),
    "all NaN": (encode(tone(16_000) * np.float32("nan"), 16_000, "WAV", "FLOAT"), ["non_finite"], None),
    "some NaN": (encode(some_nan(16_000), 16_000, "WAV", "FLOAT"), ["non_finite"], 0.5),
    # 44 bytes of header and 8,000 frames of 2 bytes: half of the file holds (16,044 / 2 - 44) / 2 = 3,989 frames
    "WAV cut in half": (WAV[: len(WAV) // 2], ["length_mismatch"], 3_989 / 16_000),
    "WAV that declares too much": (with_data_size(WAV, 10**9), ["length_mismatch"], 0.5),
    "WAV streamed to a pipe": (with_data_size(WAV, 2**32 - 1), [], 0.5),
    # 9 of the 20 frames of FLAC, 4,096 samples each, are whole
    "FLAC cut in half": (LONG_FLAC[: len(LONG_FLAC) // 2], ["length_mismatch"], 9 * 4_096 / 16_000),
    "FLAC streamed to a pipe": (without_length(FLAC), [], 0.5),
    "FLAC streamed to a pipe, too long": (
        without_length(encode(tone(8_000, 40), 8_000, "FLAC")),
        ["too_long"],
        30.0,
    ),
    "FLAC header alone": (FLAC[:60], ["decode_failed"], None),
    "Ogg cut in half": (OGG[: len(OGG) // 2], ["decode_failed"], None),
    "garbage": (b"not a sound at all" * 20, ["decode_failed"], None),
    "garbage after a signature": (b"RIFF\0\0\0\0WAVEfmt " + b"\xff" * 100, ["decode_failed"], None),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, ["decode_failed"], None),
    "too long": (encode(tone(8_000, 40), 8_000), ["too_long"], 30.0),
    "RF64": (encode(tone(16_000), 16_000, "RF64"), [], 0.5),
    "ADPCM": (encode(tone(8_000, 0.505), 8_000, "WAV", "IMA_ADPCM"), [], 0.505),
    "MP3 behind a tag": (with_id3(MP3), [], 2.0),
    "FLAC behind a tag": (with_id3(FLAC), [], 0.5),
    "Core Audio behind a tag": (with_id3(encode(tone(16_000), 16_000, "CAF")), ["format_refused"], None),
    "a format of the last century behind a tag": (
        with_id3(encode(tone(16_000), 16_000, "MAT5")),
        ["decode_failed"],
        None,
    ),
    "a tag alone": (with_id3(b""), ["decode_failed"], None),
    "silence": (encode(SILENCE, 16_000), [], 0.5),
    "nothing but an offset": (encode(SILENCE + np.float32(0.25), 16_000), [], 0.5),
    "clipping": (encode(np.sign(tone(16_000)), 16_000), [], 0.5),
    "0 channels": (with_channels(WAV, 0), ["decode_failed"], None),
    "65,535 channels": (with_channels(WAV, 65_535), ["decode_failed"], None),
    "an odd number of bytes": (WAV[:-1], ["length_mismatch"], 7_999 / 16_000),
    "WAV that declares too little": (with_data_size(WAV, 8_000), [], 0.25),
    "WAV with rubbish behind": (WAV + b"rubbish" * 99, [], 0.5),
    "WAV without its data": (WAV[:36], ["decode_failed"], None),
    "a film (AVI)": (b"RIFF\0\0\0\0AVI LIST" + bytes(40), ["format_refused"], None),
    "a picture (WebP)": (b"RIFF\0\0\0\0WEBPVP8 " + bytes(40), ["decode_failed"], None),
    "HTML of an error page": (b"<!DOCTYPE html><html><h1>404</h1></html>", ["decode_failed"], None),
}


def clean(content: bytes) -> tuple[Float32 | None, list[str]]:
    """One sound's samples and issue codes."""
    cleaned = SPEC.build()(pa.array([content], pa.binary()))
    samples = cleaned.values[0].values
    return (None if samples is None else samples.to_numpy()), cleaned.issues[0].as_py()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_table(name: str) -> None:
    """Each odd sound is cut, masked or kept, under exactly these codes."""
    content, codes, seconds = GOLDEN[name]

    samples, found = clean(content)

    assert found == codes
    assert (None if samples is None else len(samples) / RATE) == (seconds and pytest.approx(seconds, abs=1e-4))
    assert samples is None or (np.isfinite(samples).all() and np.abs(samples).max() <= 1)


@pytest.mark.parametrize("name", ["8 channels", "8 kHz", "44.1 kHz", "192 kHz", "8 bit", "µ-law", "FLAC", "AIFF"])
def test_the_tone_survives(name: str) -> None:
    """Whatever rate, depth and channels it had, 440 Hz is the strongest frequency, at -20 dBFS."""
    samples, _ = clean(GOLDEN[name][0])
    assert samples is not None
    strongest = np.argmax(np.abs(np.fft.rfft(samples))) * RATE / len(samples)
    assert strongest == TONE_HZ  # half a second has a step of 2 Hz, and 440 is one
    assert 20 * np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) == pytest.approx(-20, abs=1e-3)


LIMIT_MB = 100
AN_HOUR = 60  # times a minute of 48 kHz stereo: 1.4 GB decoded


def flac_bomb(folder: Path) -> bytes:
    """An hour of silence in half a megabyte."""
    with soundfile.SoundFile(folder / "bomb.flac", "w", 48_000, 2) as file:
        for _ in range(AN_HOUR):
            file.write(np.zeros((48_000 * 60, 2), np.int16))
    return (folder / "bomb.flac").read_bytes()


def id3_bomb() -> bytes:
    """A tag that declares 256 MB, the most that its 28 bits can."""
    return b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(100)


def riff_of_many_chunks() -> bytes:
    """A WAV with a million chunks of no bytes before its data (which follow 36 bytes of header)."""
    return WAV[:36] + b"junk\0\0\0\0" * 1_000_000 + WAV[36:]


def test_sound_bombs_stay_cheap(tmp_path: Path) -> None:
    """A compressed hour, a tag without end and a million chunks cost less than 100 MB at their peak, and a second."""
    bombs = {
        "an hour of FLAC": (flac_bomb(tmp_path), ["too_long"]),
        "an endless tag": (id3_bomb(), ["decode_failed"]),
        "a million chunks": (riff_of_many_chunks(), ["decode_failed"]),
        "a FLAC that declares 2^36 samples": (
            FLAC[:21] + bytes([FLAC[21] | 0x0F]) + b"\xff" * 4 + FLAC[26:],
            ["length_mismatch"],
        ),
    }
    assert len(bombs["an hour of FLAC"][0]) < 2**20

    measured = costs(SPEC, pa.array([WAV, *(file for file, _ in bombs.values())]), tmp_path)

    for (name, (_, codes)), cost in zip(bombs.items(), measured, strict=True):
        assert cost.issues == codes, (name, cost)
        assert cost.megabytes < LIMIT_MB, (name, cost)
        assert cost.seconds < 1, (name, cost)
