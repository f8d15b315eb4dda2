"""Handwritten answers."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from pipelines.scenarios import pictures
from pipelines.scenarios.education import answer


def opened(content: bytes) -> npt.NDArray[np.float64]:
    """The sheet as a viewer shows it, RGB `[H, W, 3]`."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    return np.asarray(image.convert("RGB"), dtype=np.float64)


def ink(skill: float, care: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """Shares of the sheet that are green, red and dark."""
    red, green, blue = np.moveaxis(opened(answer.draw(np.array([skill, care]), rng)), 2, 0)
    is_green, is_red = green > red + 40, red > green + 60
    dark = (red + green + blue < 330) & ~is_green & ~is_red
    return float(is_green.mean()), float(is_red.mean()), float(dark.mean())


def test_sizes_and_formats() -> None:
    """All decode, 96 to 160 pixels each way; mostly JPEG, but PNG, WebP, grayscale and turned ones occur."""
    rng = np.random.default_rng(0)
    contents = [answer.draw(rng.standard_normal(2), rng) for _ in range(300)]
    images = [Image.open(io.BytesIO(content)) for content in contents]
    formats = Counter(image.format for image in images)
    assert all(96 <= side <= 160 for image in images for side in image.size)
    assert formats["JPEG"] > 240
    assert formats["PNG"] > 3
    assert formats["WEBP"] > 3
    assert 0 < sum(image.mode == "L" for image in images) < 20
    assert 4 < sum(image.getexif().get(0x0112, 1) != 1 for image in images) < 50
    assert len(set(contents)) == 300


def test_skill_shows_in_the_marks() -> None:
    """The best sheets are full of green, the worst of red."""
    rng = np.random.default_rng(1)
    good, bad = (np.mean([ink(skill, 0.0, rng) for _ in range(12)], axis=0) for skill in (2.3, -2.3))
    assert good[0] > 4 * bad[0]
    assert bad[1] > 4 * good[1]


def test_care_shows_in_what_is_crossed_out() -> None:
    """Careless sheets are darker, by crossings-out; the marks stay as they were."""
    rng = np.random.default_rng(2)
    neat, sloppy = (np.mean([ink(0.0, care, rng) for _ in range(20)], axis=0) for care in (2.3, -2.3))
    assert sloppy[2] > 1.25 * neat[2]
    assert sloppy[:2] == pytest.approx(neat[:2], rel=0.3)


def test_right_lines_are_right() -> None:
    """What is ticked has the right result, what is crossed a wrong one."""
    rng = np.random.default_rng(3)
    for is_right in (True, False):
        for _ in range(50):
            left, result = answer._calculation(is_right, rng).split("=")
            sign = "+" if "+" in left else "-"
            a, b = (int(number) for number in left.split(sign))
            assert (int(result) == (a + b if sign == "+" else a - b)) == is_right


@pytest.mark.parametrize("tag", [3, 6, 8])
def test_a_turned_sheet_is_upright_by_its_tag(tag: int) -> None:
    """What is stored turned is turned back by who follows the EXIF tag."""
    upright = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    stored = upright.transpose(pictures.UNDO[tag])
    exif = stored.getexif()
    exif[0x0112] = tag
    np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(stored)), np.asarray(upright))
