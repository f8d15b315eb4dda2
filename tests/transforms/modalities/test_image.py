"""Images: a golden table of odd pictures, refusals from the header alone, geometry, and what a column may hold."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from PIL import Image

from models.arrow import to_numpy
from transforms.modalities.image import ImageSpec

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
SIDE = 8
Colour = tuple[int, int, int]


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def clean(content: bytes, **settings: Any) -> tuple[npt.NDArray[np.generic], list[str]]:
    """One file's RGB square [size, size, 3] and its issues."""
    spec = ImageSpec.model_validate({"column": "photo", "size": SIDE, **settings})
    values, issues = spec.build()(pa.array([content], pa.binary()))
    return to_numpy(values).reshape(spec.size, spec.size, 3), issues[0].as_py()


def plain(mode: str, colour: Any, side: int = 32) -> Image.Image:
    """A picture of one colour."""
    return Image.new(mode, (side, side), colour)


def corners(colours: tuple[Colour, Colour, Colour, Colour], side: int = 32) -> Image.Image:
    """A picture of four quarters: top left, top right, bottom left, bottom right."""
    image = Image.new("RGB", (side, side))
    half = side // 2
    for place, colour in enumerate(colours):
        image.paste(colour, (place % 2 * half, place // 2 * half, (place % 2 + 1) * half, (place // 2 + 1) * half))
    return image


def palette_with_transparency() -> bytes:
    """Left half palette colour 0 (red), right half colour 1, which is transparent."""
    image = Image.new("P", (32, 32), 0)
    image.putpalette([*RED, *GREEN])
    image.paste(1, (16, 0, 32, 32))
    return encoded(image, "PNG", transparency=1)


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that announces 8-bit RGB of this size, with whatever chunks follow."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (header, *chunks)
    )
    return b"\x89PNG\r\n\x1a\n" + body


def webp(width: int, height: int) -> bytes:
    """A lossless WebP that announces this size (14 bits each behind the signature byte) and holds next to nothing."""
    picture = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(99)
    return b"RIFF" + struct.pack("<I", 12 + len(picture)) + b"WEBPVP8L" + struct.pack("<I", len(picture)) + picture


def peak_growth(work: Callable[[], object]) -> float:
    """MB by which the process's memory grew at most while `work` ran (Linux: the high-water mark is set back)."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmHWM")
    work()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


# In each: what the whole picture is painted with, and the RGB that must come out everywhere.
ONE_COLOUR: dict[str, tuple[bytes, Colour]] = {
    "JPEG": (encoded(plain("RGB", (200, 30, 90)), "JPEG", quality=95), (200, 30, 90)),
    "PNG": (encoded(plain("RGB", (200, 30, 90)), "PNG"), (200, 30, 90)),
    "lossless WebP": (encoded(plain("RGB", (200, 30, 90)), "WEBP", lossless=True), (200, 30, 90)),
    "BMP": (encoded(plain("RGB", (200, 30, 90)), "BMP"), (200, 30, 90)),
    "TIFF, LZW": (encoded(plain("RGB", (200, 30, 90)), "TIFF", compression="tiff_lzw"), (200, 30, 90)),
    # CMYK (0, 255, 255, 0) is full magenta and yellow, no cyan, no black: red.
    "CMYK JPEG": (encoded(plain("CMYK", (0, 255, 255, 0)), "JPEG", quality=95), RED),
    "CMYK TIFF": (encoded(plain("CMYK", (0, 255, 255, 0)), "TIFF"), RED),
    "grey": (encoded(plain("L", 77), "PNG"), (77, 77, 77)),
    "1 bit": (encoded(plain("1", 1), "PNG"), WHITE),
    "palette": (encoded(plain("RGB", BLUE).quantize(4), "PNG"), BLUE),
    # 32896 = 128 · 257 is the 16-bit value of 8-bit 128; clipping would give 255.
    "16-bit grey PNG": (encoded(Image.fromarray(np.full((32, 32), 32896, np.uint16)), "PNG"), (128, 128, 128)),
    "16-bit grey TIFF": (encoded(Image.fromarray(np.full((32, 32), 32896, np.uint16)), "TIFF"), (128, 128, 128)),
    # Half transparent black on white: 255 · (1 - 128/255) = 127.
    "half transparent": (encoded(plain("RGBA", (0, 0, 0, 128)), "PNG"), (127, 127, 127)),
    "half transparent grey": (encoded(plain("LA", (0, 128)), "PNG"), (127, 127, 127)),
    "fully transparent": (encoded(plain("RGBA", (9, 9, 9, 0)), "PNG"), WHITE),
    "colour key": (encoded(plain("RGB", GREEN), "PNG", transparency=GREEN), WHITE),
    "1 pixel": (encoded(plain("RGB", (1, 2, 3), side=1), "PNG"), (1, 2, 3)),
    "animated GIF, first frame": (
        encoded(plain("RGB", RED), "GIF", save_all=True, append_images=[plain("RGB", BLUE)], duration=9),
        RED,
    ),
    "animated WebP, first frame": (
        encoded(plain("RGB", RED), "WEBP", save_all=True, append_images=[plain("RGB", BLUE)], lossless=True),
        RED,
    ),
    "constant float TIFF": (encoded(plain("F", 3.5), "TIFF"), BLACK),
}


@pytest.mark.parametrize("name", ONE_COLOUR)
def test_golden_colours(name: str) -> None:
    """Every colour mode and format comes out in the RGB that a person would see."""
    content, colour = ONE_COLOUR[name]

    pixels, issues = clean(content)

    assert issues == []
    # 2 levels: JPEG's rounding of Y, Cb and Cr; all others are exact.
    assert np.abs(pixels.astype(int) - colour).max() <= (2 if "JPEG" in name else 0)


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "no picture": (b"This is no picture, but it was in the column.", "decode_failed"),
    "JPEG cut in half": (encoded(corners((RED, GREEN, BLUE, WHITE), 256), "JPEG")[:900], "decode_failed"),
    "PNG cut in half": (encoded(Image.effect_noise((64, 64), 50), "PNG")[:2000], "decode_failed"),
    "GIF cut in half": (encoded(Image.effect_noise((64, 64), 50), "GIF")[:2000], "decode_failed"),
    "header alone": (encoded(plain("RGB", RED), "JPEG")[:20], "decode_failed"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "format_refused"),
    "EPS with a preview": (b"\xc5\xd0\xd3\xc6" + bytes(60), "format_refused"),
    "PDF": (b"%PDF-1.7\n", "format_refused"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format_refused"),
    "PPM": (encoded(plain("RGB", RED), "PPM"), "format_refused"),
    "ICO": (encoded(plain("RGB", RED), "ICO"), "format_refused"),
    "AVIF": (b"\0\0\0\x1cftypavif", "format_refused"),
    "float TIFF without a number": (encoded(plain("F", float("nan")), "TIFF"), "decode_failed"),
    "PNG of 169 Mpx": (png(13_000, 13_000, (b"IDAT", zlib.compress(bytes(9_999)))), "too_large"),
    "PNG of 400 Mpx": (png(20_000, 20_000, (b"IDAT", zlib.compress(bytes(9_999)))), "too_large"),
    "WebP of 268 Mpx": (webp(16_383, 16_383), "too_large"),
    "GIF of 65535 by 65535": (b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(3) + b",", "decode_failed"),
    "PNG text of 100 MB": (
        png(9, 9, (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000), 1)), (b"IDAT", b"")),
        "decode_failed",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_without_decoding(name: str) -> None:
    """Damaged, foreign and oversized files are masked under their own code, with little memory."""
    content, code = REFUSED[name]
    results: list[list[str]] = []

    growth = peak_growth(lambda: results.append(clean(content)[1]))

    assert results == [[code]]
    assert growth < 50  # MB; 169 Mpx of RGB would be 507


def test_ghostscript_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPS does not reach Pillow's EPS plugin, whatever the job allows."""
    opened: list[object] = []
    monkeypatch.setitem(Image.OPEN, "EPS", (lambda *args: opened.append(args), None))

    clean(b"%!PS-Adobe-3.0 EPSF-3.0\n", formats=["jpeg", "png", "tiff"])

    assert opened == []


def test_a_format_that_the_job_does_not_allow() -> None:
    """With an allow-list of JPEG alone, a good PNG is refused."""
    _, issues = clean(ONE_COLOUR["PNG"][0], formats=["jpeg"])

    assert issues == ["format_refused"]


@pytest.mark.parametrize(("limit", "issues"), [(32 * 32, []), (32 * 32 - 1, ["too_large"])])
def test_pixel_limit_is_inclusive(limit: int, issues: list[str]) -> None:
    """A picture of exactly `max_pixels` passes."""
    assert clean(ONE_COLOUR["PNG"][0], max_pixels=limit)[1] == issues


def test_byte_limit() -> None:
    """A file over `max_bytes` is refused before anything looks at it."""
    content = ONE_COLOUR["PNG"][0]

    assert clean(content, max_bytes=len(content))[1] == []
    assert clean(content, max_bytes=len(content) - 1)[1] == ["too_large"]


# How a camera held that way stores the upright quarters (RED, GREEN / BLUE, WHITE): EXIF 2.3, tag 0x0112.
STORED = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    4: (BLUE, WHITE, RED, GREEN),
    5: (RED, BLUE, GREEN, WHITE),
    6: (GREEN, WHITE, RED, BLUE),
    7: (WHITE, GREEN, BLUE, RED),
    8: (BLUE, RED, WHITE, GREEN),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_eight_orientations_come_out_upright(orientation: int, format_: str) -> None:
    """The EXIF orientation is applied, in every format that carries it, once."""
    exif = Image.Exif()
    exif[0x0112] = orientation

    pixels, issues = clean(encoded(corners(STORED[orientation], side=128), format_, exif=exif, quality=95))

    assert issues == []
    quarters = [pixels[1, 1], pixels[1, -2], pixels[-2, 1], pixels[-2, -2]]
    assert np.abs(np.array(quarters).astype(int) - STORED[1]).max() <= 12  # lossy chroma near the edges


def test_damaged_exif_does_not_cost_the_picture() -> None:
    """A picture with unreadable metadata is taken as it is stored."""
    pixels, issues = clean(encoded(plain("RGB", RED), "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff\xff\xff"))

    assert issues == []
    assert (pixels == RED).all()


# A picture of 64 by 16: green from column 20 to 44, red on both sides. (The centred square is 24 to 40; halving it
# to 8 by 8 also looks at 4 columns beyond it, as far as the bicubic filter reaches.)
OBLONG = Image.new("RGB", (64, 16), RED)
OBLONG.paste(GREEN, (20, 0, 44, 16))


def test_crop_keeps_the_centre() -> None:
    """`crop` takes the largest centred square: nothing but green."""
    pixels, _ = clean(encoded(OBLONG, "PNG"), fit="crop")

    assert (pixels == GREEN).all()


def test_pad_keeps_the_whole_on_white() -> None:
    """`pad` scales 64 by 16 to 8 by 2 and centres it: rows 3 and 4, white above and below."""
    pixels, _ = clean(encoded(OBLONG, "PNG"), fit="pad")

    assert (pixels[[0, 1, 2, 5, 6, 7]] == WHITE).all()
    assert (pixels[3:5, [0, 7]] == RED).all()


def test_stretch_fills_the_square() -> None:
    """`stretch` maps green to columns 5 to 11 of 16, in every row alike, and red to both sides."""
    pixels, _ = clean(encoded(OBLONG, "PNG"), fit="stretch", size=16)

    assert (pixels[:, [0, 1, 14, 15]] == RED).all()
    assert (pixels[:, 7:9] == GREEN).all()


def test_palette_transparency_is_white() -> None:
    """A transparent palette entry shows white, not the colour that the palette holds for it."""
    pixels, _ = clean(palette_with_transparency())

    assert (pixels[:, :2] == RED).all()
    assert (pixels[:, -2:] == WHITE).all()


def test_sixteen_bits_keep_their_order() -> None:
    """A ramp over all 16 bits becomes a ramp over all 8 bits, instead of being clipped at 255."""
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))

    pixels, _ = clean(encoded(Image.fromarray(ramp), "PNG"), size=64)

    assert np.abs(pixels[0, :, 0].astype(int) - np.rint(ramp[0] / 257)).max() <= 1


def test_shrinking_while_decoding_changes_little() -> None:
    """A large JPEG, decoded at 1/8, gives nearly the pixels of the same picture as PNG, decoded in full."""
    scene = Image.radial_gradient("L").resize((1024, 1024)).convert("RGB")

    fast, _ = clean(encoded(scene, "JPEG", quality=95), size=64)
    full, _ = clean(encoded(scene, "PNG"), size=64)

    assert np.abs(fast.astype(int) - full.astype(int)).max() <= 3


def test_a_bad_neighbour_changes_no_byte() -> None:
    """Rows around a broken one are those of a batch without it."""
    good = [ONE_COLOUR["PNG"][0], ONE_COLOUR["CMYK JPEG"][0]]
    cleaner = ImageSpec(column="photo", size=SIDE).build()

    with_bad = cleaner(pa.array([good[0], b"\xff\xd8\xff broken", None, good[1]]))
    without = cleaner(pa.array(good))

    assert with_bad.values.take([0, 3]).equals(without.values)
    assert with_bad.issues.to_pylist() == [[], ["decode_failed"], [], []]


def test_takes_what_datasets_writes(tmp_path: Path) -> None:
    """`{bytes, path}` structs: bytes win, a path is read below an allowed root, two nulls are absent."""
    (tmp_path / "a.png").write_bytes(ONE_COLOUR["PNG"][0])
    rows = [{"bytes": ONE_COLOUR["PNG"][0], "path": "/etc/passwd"}, {"bytes": None, "path": "a.png"}]
    batch = pa.RecordBatch.from_pydict({"photo": pa.array([*rows, {"bytes": None, "path": None}, None])})
    spec = ImageSpec(column="photo", size=SIDE, allowed_roots=(str(tmp_path),))

    values, issues = spec.build()(spec.gather(batch))

    assert issues.to_pylist() == [[], [], [], []]
    assert values.is_valid().to_pylist() == [True, True, False, False]
    assert values[0] == values[1]


def test_pillow_warns_nobody() -> None:
    """Pillow's warning of a decompression bomb (from 89 Mpx on) reaches nobody: the picture has an issue code."""
    bomb = png(10_000, 10_000, (b"IDAT", zlib.compress(bytes(99))))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        _, issues = clean(bomb)

    assert issues == ["too_large"]
    assert caught == []


def test_threads_share_a_cleaner() -> None:
    """One cleaner used by several threads at once gives each the same result."""
    cleaner = ImageSpec(column="photo", size=SIDE).build()
    values = pa.array([content for content, _ in ONE_COLOUR.values()])
    results: list[pa.Array] = []

    threads = [threading.Thread(target=lambda: results.append(cleaner(values).values)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 4
    assert all(result.equals(results[0]) for result in results)
