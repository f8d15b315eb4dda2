"""F36: picture bombs, files that cost far more than their size."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from tests.faults.costs import Cost, costs
from tests.transforms.modalities.pictures import (
    ONE_PIXEL,
    RED,
    STRIP,
    animated_webp,
    chunk,
    encoded,
    exif_bomb,
    gif_with_extensions,
    jpeg_of_many_scans,
    jpeg_of_size,
    plain,
    png,
    sharing_tags,
    tiff,
    tiff_of_a_tile,
    webp,
    with_chunks,
)
from transforms.modalities.image import ImageSpec

MEGABYTES, SECONDS = 50, 0.1
GOOD = encoded(plain("RGB", RED), "PNG")
HUNDRED_MB = zlib.compress(bytes(100_000_000), 9)
"""100 kB."""
SOME_DATA = (b"IDAT", zlib.compress(bytes(19_999)))
TOO_LARGE = ["too_large"]

# Pixels or parts of them that a header announces, and work hidden elsewhere. A bomb in metadata costs nothing, and
# the picture stands: metadata are not read.
BOMBS: dict[str, tuple[bytes, list[str]]] = {
    "PNG of 169 Mpx": (png(13_000, 13_000, SOME_DATA), TOO_LARGE),
    "PNG of 400 Mpx": (png(20_000, 20_000, SOME_DATA), TOO_LARGE),
    "PNG of 65,535 by 65,535": (png(65_535, 65_535, SOME_DATA), TOO_LARGE),
    "PNG of 1 by a billion": (png(1, 10**9, SOME_DATA), TOO_LARGE),
    "PNG of a million chunks": (with_chunks(GOOD, chunk(b"abCd", b"") * 1_000_000), TOO_LARGE),
    "PNG, 100 MB in zTXt": (with_chunks(GOOD, chunk(b"zTXt", b"Comment\0\0" + HUNDRED_MB)), []),
    "PNG, 100 MB in iTXt": (with_chunks(GOOD, chunk(b"iTXt", b"XML\0\1\0\0\0" + HUNDRED_MB)), []),
    "PNG, 100 MB in iCCP": (with_chunks(GOOD, chunk(b"iCCP", b"profile\0\0" + HUNDRED_MB)), []),
    "JPEG of 65,500 by 65,500": (jpeg_of_size(65_500, 65_500), TOO_LARGE),
    "JPEG of 50 Mpx": (jpeg_of_size(10_000, 5_000), TOO_LARGE),
    "JPEG of 5,000 scans": (jpeg_of_many_scans(5_000), TOO_LARGE),
    # 260 kB with a directory of 10,833 tags that hold 259,900 bytes each: 2.8 GB
    "JPEG, tags of EXIF that share their bytes": (exif_bomb(4), []),
    "GIF of 65,535 by 65,535": (b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(3) + b",", ["decode_failed"]),
    "GIF, a picture of 65,535 by 65,535 on a small screen": (
        gif_with_extensions(b"," + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0) + b"\x08\0;"),
        TOO_LARGE,
    ),
    "GIF, 10 MB of comments": (gif_with_extensions(b"!\xfe" + (b"\xff" + bytes(255)) * 40_000 + b"\0"), []),
    "GIF of a million empty extensions": (gif_with_extensions(b"!\xfe\0" * 1_000_000), TOO_LARGE),
    "WebP of 268 Mpx": (webp(16_383, 16_383), TOO_LARGE),
    "WebP animation of 268 Mpx": (animated_webp(16_384, 16_384), TOO_LARGE),
    "BMP of 65,535 by 65,535": (
        b"BM" + struct.pack("<IIIIIIHHIIIIII", 100, 0, 54, 40, 65_535, 65_535, 1, 24, 0, 0, 0, 0, 0, 0),
        TOO_LARGE,
    ),
    "TIFF of 65,535 by 65,535": (tiff([(256, 4, 1, 65_535), (257, 4, 1, 65_535), *ONE_PIXEL[2:], *STRIP]), TOO_LARGE),
    "TIFF of one pixel in a tile of 30,000 by 30,000": (tiff_of_a_tile(30_000), TOO_LARGE),
    "TIFF, private tags that share their bytes": (tiff([*ONE_PIXEL, *STRIP, *sharing_tags(10**6, 40_000)], 10**6), []),
    "TIFF, tags that share their bytes": (
        tiff([*ONE_PIXEL, (273, 1, 10**6, 8), (279, 1, 10**6, 8), (320, 1, 10**6, 8)], 2 * 10**6),
        TOO_LARGE,
    ),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cost]:
    """What each of them costs, in a process that has seen a good picture only."""
    files = [file for file, _ in BOMBS.values()]
    found = costs(ImageSpec(column="photo"), pa.array([GOOD, *files]), tmp_path_factory.mktemp("bombs"))
    return dict(zip(BOMBS, found, strict=True))


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_next_to_nothing(name: str, measured: dict[str, Cost]) -> None:
    """Under 50 MB and a tenth of a second each, and the code says why; 169 Mpx of RGB would be 507 MB."""
    assert measured[name].issues == BOMBS[name][1]
    assert measured[name].megabytes < MEGABYTES
    assert measured[name].seconds < SECONDS


def test_a_picture_below_the_limit_is_decoded(tmp_path: Path) -> None:
    """39 Mpx pass, and the measure sees what they cost: 37 MiB of grey pixels at least."""
    large = encoded(plain("L", 77, side=6_244), "PNG")

    [cost] = costs(ImageSpec(column="photo"), pa.array([GOOD, large]), tmp_path)

    assert cost.issues == []
    assert 36 < cost.megabytes < 200
