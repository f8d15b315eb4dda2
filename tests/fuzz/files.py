"""Real files, small and of many kinds, from which fuzzing starts."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.transforms.modalities.pictures import (
    RED,
    corners,
    encoded,
    interlaced_png,
    palette_with_transparency,
    plain,
    turned,
)
from tests.transforms.modalities.sounds import encode, tone, with_id3, without_length


@cache
def pictures() -> tuple[bytes, ...]:
    """Every format that may be decoded, in its colour modes and compressions."""
    scene = corners(((9, 99, 200), (255, 0, 0), (0, 128, 0), (250, 250, 250)), side=24)
    frames = {"save_all": True, "append_images": [plain("RGB", RED, 24)]}
    return (
        *(encoded(scene, name) for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")),
        *(encoded(scene, name, **frames) for name in ("PNG", "GIF", "WEBP", "TIFF")),
        *(encoded(scene, "TIFF", compression=name) for name in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
        *(encoded(scene.convert(mode), "TIFF", compression="group4" if mode == "1" else None) for mode in "1LF"),
        encoded(scene.convert("CMYK"), "JPEG"),
        encoded(scene, "JPEG", progressive=True),
        encoded(scene, "WEBP", lossless=True),
        encoded(scene.convert("L"), "BMP"),
        encoded(scene.convert("1"), "PNG"),
        encoded(Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 999), "PNG"),
        palette_with_transparency(),
        interlaced_png(),
        *(turned(6, name) for name in ("JPEG", "PNG", "WEBP", "TIFF")),
    )


@cache
def sounds() -> tuple[bytes, ...]:
    """Every format that may be decoded, in its sample types."""
    short = tone(8_000, 0.05)
    return (
        *(encode(short, 8_000, "WAV", of) for of in ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
        *(encode(short, 8_000, "WAV", of) for of in ("IMA_ADPCM", "MS_ADPCM", "GSM610")),
        *(encode(short, 8_000, name) for name in ("WAVEX", "RF64", "FLAC", "AIFF", "OGG")),
        encode(tone(16_000, 0.2), 16_000, "MP3"),
        encode(tone(16_000, 0.05), 16_000, "OGG", "OPUS"),
        encode(tone(44_100, 0.02, channels=2), 44_100, "FLAC"),
        without_length(encode(short, 8_000, "FLAC")),
        with_id3(encode(tone(16_000, 0.2), 16_000, "MP3")),
        with_id3(encode(short, 8_000)),
    )


@cache
def texts() -> tuple[bytes, ...]:
    """What people write and what breaks programs: scripts, marks, mojibake, escapes, personal data."""
    return tuple(
        text.encode("utf-8", "surrogatepass")
        for text in (
            "Plain words, and 100 % of them.",
            "schÃ¶n â€“ dÃ©jÃ\xa0 vu",
            "Z\u0351\u036b\u0343\u036aa\u0302\u032b\u031cl\u034cg\u031fo",
            "\x1b[36mblue\x1b[0m \ufeff\u202egnp.exe\u202c",
            "jane.roe@example.com, +49 30 1234567, DE89 3704 0044 0532 0130 00, 4111 1111 1111 1111, ::ffff:10.0.0.1",
            "👩\u200d👧 می\u200cخواهم ﬁ １ \ud83d\ude00",
        )
    )


@cache
def tables() -> tuple[bytes, ...]:
    """Parquet files of the types that inputs have: with page check sums, and as others than Arrow write them."""
    table = pa.table(
        {
            "id": [f"c{i}" for i in range(20)],
            "age": pa.array([20.0 + i for i in range(20)]),
            "note": pa.array([None if i % 5 == 0 else f"note {i}" for i in range(20)]).dictionary_encode(),
            "visits": [[{"time": i, "amount": 0.5 * i}] * (i % 3) for i in range(20)],
        }
    )
    files = []
    for options in (
        {"write_page_checksum": True},
        {"compression": "none", "use_dictionary": False, "store_schema": False},
    ):
        file = BytesIO()
        pq.write_table(table, file, row_group_size=8, **options)
        files.append(file.getvalue())
    return tuple(files)
