"""Tests of the image encoder that needs no weights."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from models.arrow import from_numpy
from models.encoders.image_histograms import (
    CELLS,
    CHROMAS,
    HUES,
    LIGHTNESSES,
    NATURAL_DIM,
    ORIENTATIONS,
    RINGS,
    SECTORS,
    ImageHistogramsEncoder,
    ImageHistogramsSpec,
    palettes,
    spectrum_sectors,
)
from tests.models.encoders.probe import explained

SIZE = 64
COLOURS = HUES + LIGHTNESSES + CHROMAS


@pytest.fixture(scope="module")
def encoder() -> ImageHistogramsEncoder:
    """The encoder with its default settings."""
    return ImageHistogramsSpec().build()


def plain(*colour: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A picture of one colour, [1, s, s, 3]."""
    return np.full((1, SIZE, SIZE, 3), colour, dtype=np.uint8)


def waves(degrees: float, cycles: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Grey stripes whose brightness changes along this direction, so many times across the picture, [1, s, s, 3]."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    along = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    grey = 128 + 100 * np.sin(2 * np.pi * cycles * along)
    return np.repeat(grey.astype(np.uint8)[None, :, :, None], 3, axis=3)


def test_weights_of_a_colour_sum_to_one() -> None:
    """Lightness and chroma share one pixel between two bins; hue counts as much as there is chroma."""
    hue, lightness, chroma = palettes()

    np.testing.assert_allclose(lightness.at_low + lightness.at_next, 1)
    np.testing.assert_allclose(chroma.at_low + chroma.at_next, 1)
    # Pure red is (31.5, 0.5, 0.5)/32: chroma 31/32, all of it in the first hue.
    red = 31 * 32 * 32
    assert (hue.low[red], hue.at_low[red], hue.at_next[red]) == (0, 31 / 32, 0.0)


@pytest.mark.parametrize(("colour", "hue"), [((255, 0, 0), 0), ((255, 255, 0), 2), ((0, 255, 0), 4), ((0, 0, 255), 8)])
def test_a_plain_picture_has_one_hue(encoder: ImageHistogramsEncoder, colour: tuple[int, int, int], hue: int) -> None:
    """Of twelve hues, red is the first, yellow the third, green the fifth, blue the ninth, in every cell alike."""
    histograms = encoder.describe(plain(*colour))[0, : CELLS * COLOURS].reshape(CELLS, COLOURS)[:, :HUES]

    assert (histograms.argmax(axis=1) == hue).all()
    assert (np.delete(histograms, hue, axis=1) == -1).all()  # an empty bin


@pytest.mark.parametrize(("degrees", "orientation"), [(0, 0), (45, 2), (90, 4), (135, 6)])
def test_edges_are_found_by_orientation(encoder: ImageHistogramsEncoder, degrees: float, orientation: int) -> None:
    """The gradient of stripes along 0°, 45°, 90°, 135° falls on every second of eight orientations."""
    start = CELLS * COLOURS + 64
    found = encoder.describe(waves(degrees, 4))[0, start : start + CELLS * ORIENTATIONS].reshape(CELLS, ORIENTATIONS)

    assert found[0].argmax() == orientation


def test_texture_is_found_by_scale_and_direction(encoder: ImageHistogramsEncoder) -> None:
    """Finer stripes stand in an outer ring; turned stripes in another sector."""

    def strongest(degrees: float, cycles: float) -> tuple[int, int]:
        texture = encoder.describe(waves(degrees, cycles))[0, -RINGS * SECTORS :].reshape(RINGS, SECTORS)
        ring, sector = np.unravel_index(texture.argmax(), texture.shape)
        return int(ring), int(sector)

    # Rings are log2(cycles / 1.5) / log2(32 / 1.5) · 6 = 1.9 for 4 cycles and 4.6 for 16.
    assert strongest(0, 4) == (1, 0)
    assert strongest(0, 16) == (4, 0)
    assert strongest(90, 16) == (4, 4)


def test_every_frequency_within_reach_is_counted_once() -> None:
    """The sectors are averages: each column sums to 1 where it holds anything."""
    sums = spectrum_sectors(SIZE).sum(axis=0)

    np.testing.assert_allclose(sums[sums > 0], 1, rtol=1e-5)
    assert (sums > 0).mean() > 0.9


def test_the_whole_description_can_be_had_without_loss() -> None:
    """With dim at its largest the projection turns the description but keeps every distance."""
    pictures = np.concatenate([plain(255, 0, 0), waves(45, 8)])
    encoder = ImageHistogramsSpec(dim=NATURAL_DIM).build()

    described, encoded = encoder.describe(pictures), encoder(from_numpy(pictures.reshape(2, -1)))

    np.testing.assert_allclose(
        np.linalg.norm(encoded[0] - encoded[1]), np.linalg.norm(described[0] - described[1]), rtol=1e-4
    )


def test_size_must_fit_the_grid() -> None:
    """A side that cannot be cut into four cells is refused."""
    with pytest.raises(ValidationError, match="multiple of 4"):
        ImageHistogramsSpec(size=63)


def test_other_sizes_work_and_are_asked_for() -> None:
    """The cleaner is asked for the encoder's size."""
    spec = ImageHistogramsSpec(size=32)

    assert spec.requires() == {"size": 32}
    assert spec.build()(from_numpy(np.zeros((2, 32 * 32 * 3), np.uint8))).shape == (2, 256)


def test_a_linear_map_reads_hue_and_direction(encoder: ImageHistogramsEncoder) -> None:
    """Colour and direction of a patterned disc on a plain ground are read from the embedding."""
    rng = np.random.default_rng(0)
    warmth, degrees = rng.random(400), rng.uniform(0, 90, 400)
    pictures = np.concatenate([waves(angle, rng.uniform(4, 9)) for angle in degrees]).astype(np.float64)
    pictures[..., 0] *= warmth[:, None, None]
    pictures[..., 2] *= 1 - warmth[:, None, None]
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    pictures[:, x * x + y * y > 0.16] = 128
    pictures += rng.normal(0, 5, pictures.shape)

    rows = encoder(from_numpy(np.clip(pictures, 0, 255).astype(np.uint8).reshape(400, -1)))

    assert explained(rows, warmth) > 0.95
    assert explained(rows, degrees) > 0.9
