"""Images: what is refused, limits, geometry, and what a column may hold. (Odd pictures and bombs: F36 and F37.)"""

from __future__ import annotations

import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from PIL import Image

from models.arrow import to_numpy
from tests.transforms.modalities.pictures import GREEN, RED, WHITE, encoded, plain, png
from transforms.modalities.image import ImageSpec

SIDE = 8
PNG = encoded(plain("RGB", (200, 30, 90)), "PNG")
CMYK = encoded(plain("CMYK", (0, 255, 255, 0)), "JPEG", quality=95)


def clean(content: bytes, **settings: Any) -> tuple[npt.NDArray[np.generic], list[str]]:
    """One file's RGB square [size, size, 3] and its issues."""
    spec = ImageSpec.model_validate({"column": "photo", "size": SIDE, **settings})
    values, issues = spec.build()(pa.array([content], pa.binary()))
    return to_numpy(values).reshape(spec.size, spec.size, 3), issues[0].as_py()


def test_ghostscript_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPS does not reach Pillow's EPS plugin, whatever the job allows."""
    opened: list[object] = []
    monkeypatch.setitem(Image.OPEN, "EPS", (lambda *args: opened.append(args), None))

    clean(b"%!PS-Adobe-3.0 EPSF-3.0\n", formats=["jpeg", "png", "tiff"])

    assert opened == []


def test_a_format_that_the_job_does_not_allow() -> None:
    """With an allow-list of JPEG alone, a good PNG is refused."""
    _, issues = clean(PNG, formats=["jpeg"])

    assert issues == ["format_refused"]


@pytest.mark.parametrize(("limit", "issues"), [(32 * 32, []), (32 * 32 - 1, ["too_large"])])
def test_pixel_limit_is_inclusive(limit: int, issues: list[str]) -> None:
    """A picture of exactly `max_pixels` passes."""
    assert clean(PNG, max_pixels=limit)[1] == issues


def test_byte_limit() -> None:
    """A file over `max_bytes` is refused before anything looks at it."""
    content = PNG

    assert clean(content, max_bytes=len(content))[1] == []
    assert clean(content, max_bytes=len(content) - 1)[1] == ["too_large"]


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


def test_an_edge_leaves_the_rim_out() -> None:
    """Both sides scaled to 32, of which columns 12 to 19 are kept, well within the green from 10 to 21."""
    pixels, _ = clean(encoded(OBLONG, "PNG"), fit="stretch", edge=32)

    assert (pixels == GREEN).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"edge": 7}, "edge must be at least size, 8; got 7"),
        ({"edge": 9, "fit": "pad"}, "edge must be null, because `pad` scales the longer side; got 9"),
    ],
)
def test_an_edge_must_hold_the_square(settings: dict[str, Any], message: str) -> None:
    """A square cannot be cut out of less, and padding has no rim to cut."""
    with pytest.raises(ValueError, match=message):
        ImageSpec.model_validate({"column": "photo", "size": SIDE, **settings})


@pytest.mark.parametrize("exact", [False, True])
def test_extreme_sides_cost_little(exact: bool) -> None:
    """A line of 20,000 pixels, which scaling by its shorter side would make 32 million, is cut first."""
    line = Image.new("RGB", (20_000, 1), RED)
    line.paste(GREEN, (9_990, 0, 10_010, 1))

    pixels, _ = clean(encoded(line, "PNG"), exact=exact, size=40)

    assert (pixels == GREEN).all()


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_large_pictures_are_averaged_first(fit: str) -> None:
    """Over 4 million pixels, blocks are averaged before scaling: the two halves of a picture stay where they are."""
    halves = Image.new("RGB", (2_100, 2_100), RED)
    halves.paste(GREEN, (1_050, 0, 2_100, 2_100))

    pixels, _ = clean(encoded(halves, "PNG"), fit=fit)

    assert (pixels[:, :3] == RED).all()
    assert (pixels[:, -3:] == GREEN).all()


def test_shrinking_keeps_what_is_asked_for() -> None:
    """128 pixels for a square of 32 are decoded at 1/2 as long as twice the target is enough; four times needs all."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (128, 128, 3)).astype(np.uint8))
    file = encoded(noise, "JPEG", quality=95)

    two, four, whole = (clean(file, size=32, shrink_to=times)[0] for times in (2, 4, 16))

    assert (four == whole).all()
    assert (two != whole).any()


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
    good = [PNG, CMYK]
    cleaner = ImageSpec(column="photo", size=SIDE).build()

    with_bad = cleaner(pa.array([good[0], b"\xff\xd8\xff broken", None, good[1]]))
    without = cleaner(pa.array(good))

    assert with_bad.values.take([0, 3]).equals(without.values)
    assert with_bad.issues.to_pylist() == [[], ["decode_failed"], [], []]


def test_takes_what_datasets_writes(tmp_path: Path) -> None:
    """`{bytes, path}` structs: bytes win, a path is read below an allowed root, two nulls are absent."""
    (tmp_path / "a.png").write_bytes(PNG)
    rows = [{"bytes": PNG, "path": "/etc/passwd"}, {"bytes": None, "path": "a.png"}]
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
    values = pa.array([PNG, CMYK] * 5)
    results: list[pa.Array] = []

    threads = [threading.Thread(target=lambda: results.append(cleaner(values).values)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 4
    assert all(result.equals(results[0]) for result in results)
