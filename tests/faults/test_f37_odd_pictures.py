"""F37: odd pictures, each decoded by rule or refused under its code."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from PIL import Image, ImageCms

from models.arrow import to_numpy
from tests.transforms.modalities.pictures import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    STORED,
    WHITE,
    Colour,
    Quarters,
    chunk,
    corners,
    encoded,
    gif_with_extensions,
    interlaced_png,
    palette_with_transparency,
    plain,
    segment,
    turned,
    with_chunks,
    with_segments,
)
from transforms.modalities.image import ImageSpec

SIDE = 8
PINK: Colour = (200, 30, 90)
UPRIGHT = STORED[1]
JPEG = encoded(corners(UPRIGHT, 256), "JPEG", quality=95)
PNG = encoded(corners(UPRIGHT), "PNG")
NOISE = Image.effect_noise((64, 64), 50)
FRAMES = {"save_all": True, "append_images": [plain("RGB", BLUE)]}
REFUSED, BROKEN = "format_refused", "decode_failed"


def adobe_cmyk() -> bytes:
    """A CMYK JPEG as Photoshop writes it, with low values where there is much ink, and its mark (APP14)."""
    return encoded(plain("CMYK", (0, 255, 255, 0)), "JPEG", quality=95)


def without_adobe(jpeg: bytes) -> bytes:
    """The JPEG without its APP14 segment of 2 + 14 bytes."""
    place = jpeg.index(b"\xff\xee")
    return jpeg[:place] + jpeg[place + 16 :]


def with_wrong_check_sum(png: bytes) -> bytes:
    """The PNG with one bit of its data's check sum changed (4 bytes before the 12 of IEND)."""
    return png[:-13] + bytes([png[-13] ^ 1]) + png[-12:]


def rotated_by_xmp() -> bytes:
    """A PNG whose XMP text, and no EXIF, says that it lies on its side."""
    text = b"XML:com.adobe.xmp\0\0\0\0\0<rdf:Description tiff:Orientation='6'/>"
    return with_chunks(PNG, chunk(b"iTXt", text))


def animated_with_comment() -> bytes:
    """An animated GIF with a comment before its red first frame."""
    file = encoded(plain("RGB", RED), "GIF", **FRAMES)
    place = 13 + (3 << (file[10] & 7) + 1)
    return file[:place] + b"!\xfe\x05hello\0" + file[place:]


def in_linear_light() -> bytes:
    """A PNG with an ICC profile, which is not applied."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    return encoded(plain("RGB", PINK), "PNG", icc_profile=profile)


# What the picture is; the colours of its quarters (one for all four alike), or the issue code.
GOLDEN: dict[str, tuple[bytes, Colour | Quarters | str]] = {
    # Formats
    "JPEG": (JPEG, UPRIGHT),
    "progressive JPEG": (encoded(corners(UPRIGHT, 256), "JPEG", quality=95, progressive=True), UPRIGHT),
    "grey JPEG": (encoded(plain("L", 77), "JPEG", quality=95), (77, 77, 77)),
    "PNG": (PNG, UPRIGHT),
    "interlaced PNG": (interlaced_png(), UPRIGHT),
    "lossless WebP": (encoded(corners(UPRIGHT), "WEBP", lossless=True), UPRIGHT),
    "GIF": (encoded(corners(UPRIGHT), "GIF"), UPRIGHT),
    "BMP": (encoded(corners(UPRIGHT), "BMP"), UPRIGHT),
    "TIFF, LZW": (encoded(corners(UPRIGHT), "TIFF", compression="tiff_lzw"), UPRIGHT),
    "TIFF, big": (encoded(corners(UPRIGHT), "TIFF", big_tiff=True), UPRIGHT),
    # Colours
    "Adobe's CMYK JPEG": (adobe_cmyk(), RED),  # no cyan, all magenta and yellow, no black
    "CMYK JPEG without Adobe's mark": (without_adobe(adobe_cmyk()), RED),  # the same: all programs write them so
    "CMYK TIFF": (encoded(plain("CMYK", (0, 255, 255, 0)), "TIFF"), RED),
    "grey": (encoded(plain("L", 77), "PNG"), (77, 77, 77)),
    "1 bit": (encoded(plain("1", 1), "PNG"), WHITE),
    "palette": (encoded(plain("RGB", BLUE).quantize(4), "PNG"), BLUE),
    # 32896 = 128 · 257 is the 16-bit value of 8-bit 128; clipping would give 255.
    "16-bit grey PNG": (encoded(Image.fromarray(np.full((32, 32), 32896, np.uint16)), "PNG"), (128, 128, 128)),
    "16-bit grey TIFF": (encoded(Image.fromarray(np.full((32, 32), 32896, np.uint16)), "TIFF"), (128, 128, 128)),
    "constant float TIFF": (encoded(plain("F", 3.5), "TIFF"), BLACK),
    "float TIFF without a number": (encoded(plain("F", float("nan")), "TIFF"), BROKEN),
    "ICC profile": (in_linear_light(), PINK),
    # Transparency
    "palette with a transparent entry": (palette_with_transparency(), (RED, WHITE, RED, WHITE)),
    # Half transparent black on white: 255 · (1 - 128/255) = 127.
    "half transparent": (encoded(plain("RGBA", (0, 0, 0, 128)), "PNG"), (127, 127, 127)),
    "half transparent grey": (encoded(plain("LA", (0, 128)), "PNG"), (127, 127, 127)),
    "fully transparent": (encoded(plain("RGBA", (9, 9, 9, 0)), "PNG"), WHITE),
    "colour key (tRNS)": (encoded(plain("RGB", GREEN), "PNG", transparency=GREEN), WHITE),
    "transparent GIF": (encoded(plain("P", 0), "GIF", transparency=0), WHITE),
    # Animations: the first frame
    "animated GIF": (animated_with_comment(), RED),
    "animated PNG": (encoded(plain("RGB", RED), "PNG", **FRAMES), RED),
    "animated WebP": (encoded(plain("RGB", RED), "WEBP", lossless=True, **FRAMES), RED),
    "TIFF of two pages": (encoded(plain("RGB", RED), "TIFF", **FRAMES), RED),
    "JPEG of two pictures (MPO)": (encoded(plain("RGB", RED), "MPO", quality=95, **FRAMES), RED),
    # Held upright
    **{f"orientation {held} in {of}": (turned(held, of), UPRIGHT) for held in STORED for of in ("JPEG", "PNG", "WEBP")},
    **{f"orientation {held} in TIFF": (turned(held, "TIFF"), UPRIGHT) for held in STORED},
    "orientation in XMP alone": (rotated_by_xmp(), UPRIGHT),  # as stored: XMP is not read
    "damaged EXIF": (encoded(plain("RGB", RED), "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff\xff\xff"), RED),
    # Sizes
    "1 by 1": (encoded(plain("RGB", (1, 2, 3), side=1), "PNG"), (1, 2, 3)),
    "1 by 10,000": (encoded(Image.new("RGB", (1, 10_000), RED), "PNG"), RED),
    "10,000 by 1": (encoded(Image.new("RGB", (10_000, 1), RED), "JPEG", quality=95), RED),
    # Damage
    "no bytes": (b"", "empty"),
    "JPEG, its first bytes": (JPEG[:20], BROKEN),
    "JPEG cut before its pixels": (JPEG[: JPEG.index(b"\xff\xda")], BROKEN),
    "JPEG cut in half": (JPEG[: len(JPEG) // 2], BROKEN),
    "JPEG without its end": (JPEG[:-2], BROKEN),
    "JPEG with rubbish behind": (JPEG + b"\xff\xda" + bytes(999) + b"PK\3\4 and an archive", UPRIGHT),
    "JPEG with rubbish between its segments": (
        with_segments(JPEG, segment(0xFE, b"x") + b"\0\0 rubbish \xff\xff" + segment(0xFE, b"x")),
        UPRIGHT,
    ),
    "PNG cut in half": (encoded(NOISE, "PNG")[:2000], BROKEN),
    "PNG without its end": (PNG[:-12], UPRIGHT),
    "PNG with a wrong check sum": (with_wrong_check_sum(PNG), BROKEN),
    "PNG with a wrong check sum in a comment": (with_chunks(PNG, b"\0\0\0\4tEXtoops\0\0\0\0"), UPRIGHT),
    "GIF cut in half": (encoded(NOISE, "GIF")[:2000], BROKEN),
    "GIF without a picture": (gif_with_extensions(b";")[:800], BROKEN),
    # What is no picture, or none that may be decoded
    "text": (b"This is no picture, but it was in the column.", BROKEN),
    "HTML of an error page, named a.jpg": (b"<!DOCTYPE html><html><h1>404 Not Found</h1></html>", BROKEN),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", REFUSED),
    "EPS with a preview": (b"\xc5\xd0\xd3\xc6" + bytes(60), REFUSED),
    "PDF": (b"%PDF-1.7\n", REFUSED),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", REFUSED),
    "PPM": (encoded(plain("RGB", RED), "PPM"), REFUSED),
    "ICO": (encoded(plain("RGB", RED), "ICO"), REFUSED),
    "JPEG 2000": (encoded(plain("RGB", RED), "JPEG2000"), REFUSED),
    "AVIF": (encoded(plain("RGB", RED), "AVIF"), REFUSED),
    "film (MP4)": (struct.pack(">I", 24) + b"ftypisom" + bytes(40), REFUSED),
}
EXACT = 0
LOSSY = 12
"""Levels by which JPEG's and lossy WebP's colours may be off, near edges also those of halved chroma."""


def clean(content: bytes) -> tuple[npt.NDArray[np.generic], list[str]]:
    """One file's RGB square [side, side, 3] and its issues."""
    values, issues = ImageSpec(column="photo", size=SIDE).build()(pa.array([content], pa.binary()))
    return to_numpy(values).reshape(SIDE, SIDE, 3), issues[0].as_py()


def quarters(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """`[4, 3]` colours near the corners: top left, top right, bottom left, bottom right."""
    return pixels[[1, 1, -2, -2], [1, -2, 1, -2]]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_table(name: str) -> None:
    """Each picture comes out in the colours that a person would see, or under exactly this code."""
    content, decision = GOLDEN[name]

    pixels, issues = clean(content)

    if isinstance(decision, str):
        assert issues == [decision]
        assert not pixels.any()
        return
    assert issues == []
    tolerance = LOSSY if content[:2] == b"\xff\xd8" or content[12:16] == b"VP8 " or b"VP8X" in content[:20] else EXACT
    assert np.abs(quarters(pixels).astype(int) - np.broadcast_to(np.array(decision), (4, 3))).max() <= tolerance


def test_the_table_is_whole() -> None:
    """Some twenty odd pictures were promised; and each decision is taken by some of them."""
    decisions = {decision if isinstance(decision, str) else "decoded" for _, decision in GOLDEN.values()}

    assert len(GOLDEN) >= 20
    assert decisions == {"decoded", "empty", BROKEN, REFUSED}
