"""Product photos."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines.scenarios import pictures
from pipelines.scenarios.retail import photo


def opened(content: bytes) -> Image.Image:
    """The photo as a viewer shows it."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(content)))


def mean_colour(hue: float, rng: np.random.Generator) -> tuple[float, float]:
    """Mean red and mean blue of a photo with this hue."""
    pixels = np.asarray(opened(photo.draw(np.array([hue, 0.0, 0.0, 0.0]), rng)).convert("RGB"), dtype=float)
    return float(pixels[..., 0].mean()), float(pixels[..., 2].mean())


def test_sizes_and_formats() -> None:
    """All decode, 96 to 160 pixels each way; mostly JPEG, but PNG, WebP, grayscale and turned ones occur."""
    rng = np.random.default_rng(0)
    contents = [photo.draw(rng.standard_normal(4), rng) for _ in range(300)]
    images = [Image.open(io.BytesIO(content)) for content in contents]
    formats = Counter(image.format for image in images)
    assert all(96 <= side <= 160 for image in images for side in image.size)
    assert formats["JPEG"] > 240
    assert formats["PNG"] > 3
    assert formats["WEBP"] > 3
    assert 0 < sum(image.mode == "L" for image in images) < 30
    assert 5 < sum(image.getexif().get(0x0112, 1) != 1 for image in images) < 60
    assert len(set(contents)) == 300


def test_taste_shows_in_the_hue() -> None:
    """One end of the first taste is blue, the other red."""
    rng = np.random.default_rng(1)
    blue, red = ([mean_colour(hue, rng) for _ in range(10)] for hue in (-2.0, 2.0))
    assert np.mean([r - b for r, b in red]) > np.mean([r - b for r, b in blue]) + 40


@pytest.mark.parametrize("tag", [3, 6, 8])
def test_a_turned_photo_is_upright_by_its_tag(tag: int) -> None:
    """What is stored turned is turned back by who follows the EXIF tag."""
    upright = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    stored = upright.transpose(pictures.UNDO[tag])
    exif = stored.getexif()
    exif[0x0112] = tag
    np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(stored)), np.asarray(upright))


def test_the_shape_shows_the_kind_of_product() -> None:
    """In the middle of a ring is backdrop, as in the corners; in the middle of a bottle is glass."""
    rng = np.random.default_rng(3)
    hollow, solid = (np.mean([_middle(kind, rng) for _ in range(30)]) for kind in (0.2, 0.7))  # the 4th and 5th of 6
    assert hollow < 0.5 * solid


def _middle(kind: float, rng: np.random.Generator) -> float:
    """How far the middle is from the corners, in shares of the scale."""
    pixels = np.asarray(opened(photo.draw(np.array([2.0, 0.0, 2.5, kind]), rng)).convert("RGB"), dtype=float) / 255
    height, width, _ = pixels.shape
    middle = pixels[height * 9 // 20 : height * 11 // 20, width * 9 // 20 : width * 11 // 20].mean(axis=(0, 1))
    corners = np.mean([pixels[:8, :8].mean(axis=(0, 1)), pixels[-8:, -8:].mean(axis=(0, 1))], axis=0)
    return float(np.abs(middle - corners).mean())
