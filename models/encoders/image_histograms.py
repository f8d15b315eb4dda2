"""Pictures without weights: colour histograms on a pyramid, gradient orientations on a grid, texture spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, field_validator

from models.arrow import Float32, Int64, RowProduct, to_numpy
from models.encoders.base import EncoderSpec, projection
from models.segments import Float64

UInt8: TypeAlias = npt.NDArray[np.uint8]

CHUNK_PIXELS = 1 << 18  # 64 pictures of 64·64: every intermediate stays within a few MiB

GRID = 4  # cells per side of the finest level; the pyramid has 1, 2 and 4 (Lazebnik, Schmid & Ponce 2006)
LEVELS = 32  # of a channel, before its colour is looked up: 5 bits
HUES, LIGHTNESSES, CHROMAS = 12, 6, 4
ORIENTATIONS = 8  # unsigned, as in HOG (Dalal & Triggs 2005 use 9; 8 holds both axes and both diagonals)
RINGS, SECTORS = 6, 8  # of the spectrum
CELLS = 1 + 4 + GRID * GRID
LAYOUT = 4 * GRID * GRID
NATURAL_DIM = CELLS * (HUES + LIGHTNESSES + CHROMAS + ORIENTATIONS) + GRID * GRID + LAYOUT + RINGS * SECTORS
SEED = 20_230_517  # of the projection; any number, but always the same one


class Palette(NamedTuple):
    """Where each of LEVELS³ colours falls in one circular histogram: between bin `low` and the next."""

    low: Int64  # [LEVELS³]
    at_low: Float64  # weight of bin `low`
    at_next: Float64  # weight of the next bin
    bins: int


class ImageHistogramsEncoder:
    """Square roots of histograms, so that their inner product is the Hellinger affinity; projected."""

    def __init__(self, size: int, dim: int) -> None:
        self.size, self.dim = size, dim
        self.palettes = palettes()
        self.cell = np.repeat(np.arange(GRID), size // GRID)[:, None] * GRID + np.repeat(np.arange(GRID), size // GRID)
        self.window = np.outer(np.hanning(size), np.hanning(size)).astype(np.float32)
        self.sectors = RowProduct(spectrum_sectors(size))  # [s·(s/2 + 1)] to [RINGS·SECTORS]
        # Keeps a coordinate's variance while the number of coordinates changes.
        matrix = projection(NATURAL_DIM, dim, SEED) * np.float32(np.sqrt(max(NATURAL_DIM / dim, 1.0)))
        self.projected = RowProduct(matrix)

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n pictures of size·size pixels."""
        pixels = np.asarray(to_numpy(values), dtype=np.uint8).reshape(-1, self.size, self.size, 3)
        step = max(CHUNK_PIXELS // self.size**2, 1)
        out = np.empty((len(pixels), self.dim), dtype=np.float32)
        for start in range(0, len(pixels), step):
            features = self.describe(pixels[start : start + step])
            out[start : start + step] = self.projected(features)
        return out

    def describe(self, pixels: UInt8) -> Float32:
        """float32 `[n, NATURAL_DIM]`: everything that is measured, before the projection."""
        # Rec. 601 luma in 1/256, exact in integers.
        red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
        luma = (77 * red + 150 * green + 29 * blue) >> 8  # [n, s, s]
        grey = luma.astype(np.float32) / np.float32(255)
        parts = [
            self._colours(pixels),
            self._layout(luma, red - green, red + green - 2 * blue),
            self._orientations(grey),
            self._texture(grey),
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _colours(self, pixels: UInt8) -> Float64:
        """Soft histograms of hue (by chroma), lightness and chroma in every cell of the pyramid."""
        coarse = (pixels >> 3).astype(np.int64)
        codes = (coarse[..., 0] * LEVELS + coarse[..., 1]) * LEVELS + coarse[..., 2]
        histograms = np.concatenate(  # [n, 16, bins of all]
            [self._histogram(p.low[codes], p.at_low[codes], p.at_next[codes], p.bins) for p in self.palettes], axis=2
        )
        return 4 * np.sqrt(_pyramid(histograms)).reshape(len(pixels), -1) - 1

    def _layout(self, luma: npt.NDArray[np.int32], *opponents: npt.NDArray[np.int32]) -> Float64:
        """Mean of luma and of both opponent colours, and contrast, in every cell; sums are exact in integers."""
        area = (self.size // GRID) ** 2
        mean, red_green, blue_yellow = (self._sums(channel) / area for channel in (luma, *opponents))
        contrast = np.sqrt(np.maximum(self._sums(luma * luma) / area - mean**2, 0))
        columns = [(mean - 128) / 64, red_green / 64, blue_yellow / 64, np.sqrt(contrast) / 2 - 1.5]
        return np.concatenate(columns, axis=1)

    def _orientations(self, grey: Float32) -> Float64:
        """Histograms of edge orientation, weighted by strength, each relative to its block; and the strengths."""
        across, down = np.zeros_like(grey), np.zeros_like(grey)
        across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
        down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
        strength = np.sqrt(across * across + down * down)
        angle = np.arctan2(down, across) * np.float32(ORIENTATIONS / np.pi)  # opposite directions are one orientation
        place = np.where(angle < 0, angle + np.float32(ORIENTATIONS), angle)
        low = np.minimum(place.astype(np.int64), ORIENTATIONS - 1)
        at_next = (place - low) * strength
        fine = self._histogram(low, strength - at_next, at_next, ORIENTATIONS)
        pyramid = _pyramid(fine)  # [n, CELLS, ORIENTATIONS]
        total = pyramid.sum(axis=2, keepdims=True)
        # Beside a cell's own strength stands a part of the whole picture's, so that noise in a flat cell stays small.
        block = total + 0.25 * total[:, :1] + 1e-3
        shares = 6 * np.sqrt(pyramid / block).reshape(len(grey), -1) - 2
        return np.concatenate([shares, np.log(total[:, -GRID * GRID :, 0] + 1e-3) + 3], axis=1)

    def _texture(self, grey: Float32) -> Float64:
        """Log power of the windowed picture in rings (scale) and sectors (direction) of its spectrum."""
        means = grey.reshape(len(grey), -1).mean(axis=1)  # one axis: the order of a sum over two could depend on n
        centred = (grey - means[:, None, None]) * self.window
        spectrum = np.fft.rfft2(centred).reshape(len(grey), -1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        summed = self.sectors(power)
        return (np.log(summed.astype(np.float64) / self.size**2 + 1e-6) + 6) / 2

    def _histogram(self, low: Int64, at_low: npt.NDArray[Any], at_next: npt.NDArray[Any], bins: int) -> Float64:
        """`[n, 16, bins]` means over each cell of soft, circular histograms; the arguments are `[n, s, s]`."""
        n, cells = len(low), GRID * GRID
        slots = (low + self.cell * bins + np.arange(n)[:, None, None] * (cells * bins)).ravel()
        first, second = (
            np.bincount(slots, weights=weights.ravel(), minlength=n * cells * bins).reshape(n, cells, bins)
            for weights in (at_low, at_next)
        )
        return (first + np.roll(second, 1, axis=2)) / (self.size // GRID) ** 2

    def _sums(self, channel: npt.NDArray[np.int32]) -> Int64:
        side = self.size // GRID
        cells: Int64 = channel.reshape(-1, GRID, side, GRID, side).sum(axis=(2, 4), dtype=np.int64)
        return cells.reshape(-1, GRID * GRID)


class ImageHistogramsSpec(EncoderSpec):
    """Colour and edge histograms on a grid with a texture spectrum, projected; needs no weights."""

    kind: ClassVar[str] = "image_histograms"
    modality: ClassVar[str] = "image"

    size: int = Field(64, ge=16, le=512)
    """Side of the pictures in pixels, as the cleaner must deliver them; a multiple of 4."""
    dim: int = Field(256, ge=32, le=NATURAL_DIM)
    """Length of the embedding."""

    @field_validator("size")
    @classmethod
    def _fits_the_grid(cls, size: int) -> int:
        if size % GRID:
            raise ValueError(f"size must be a multiple of {GRID}")
        return size

    @property
    def output_dim(self) -> int:
        """Length of the embedding."""
        return self.dim

    def requires(self) -> Mapping[str, object]:
        """The pictures' side."""
        return {"size": self.size}

    def build(self) -> ImageHistogramsEncoder:
        """The encoder."""
        return ImageHistogramsEncoder(self.size, self.dim)


@cache
def palettes() -> tuple[Palette, Palette, Palette]:
    """Hue (circular, weighted by chroma), lightness and chroma of every 5-bit colour (the HSL hexcone)."""
    level = (np.arange(LEVELS) + 0.5) / LEVELS
    red, green, blue = (axis.ravel() for axis in np.meshgrid(level, level, level, indexing="ij"))
    top, bottom = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    chroma = top - bottom
    step = np.where(chroma > 0, chroma, 1.0)
    turn = np.where(
        top == red, (green - blue) / step % 6, np.where(top == green, (blue - red) / step + 2, (red - green) / step + 4)
    )
    place = turn / 6 * HUES
    low = place.astype(np.int64) % HUES
    share = place - np.floor(place)
    hue = Palette(low, (1 - share) * chroma, share * chroma, HUES)
    return hue, _line((top + bottom) / 2, LIGHTNESSES), _line(chroma, CHROMAS)


def spectrum_sectors(size: int) -> Float32:
    """`[size·(size // 2 + 1), RINGS·SECTORS]`: averages each ring (evenly spaced in octaves) and sector."""
    down = np.fft.fftfreq(size)[:, None]
    across = np.fft.rfftfreq(size)[None, :]
    radius = np.hypot(down, across)
    lowest, highest = 1.5 / size, 0.5  # cycles per pixel: below lies what the window smears, above only corners
    octave = np.log2(np.maximum(radius, 1e-9) / lowest) / np.log2(highest / lowest)
    ring = np.clip((octave * RINGS).astype(np.int64), 0, RINGS - 1)
    sector = np.floor((np.arctan2(down, across) / np.pi % 1.0) * SECTORS + 0.5).astype(np.int64) % SECTORS
    member = (ring * SECTORS + sector).ravel()[:, None] == np.arange(RINGS * SECTORS)
    member &= ((octave >= 0) & (radius <= highest)).ravel()[:, None]
    shares: Float32 = (member / np.maximum(member.sum(axis=0), 1)).astype(np.float32)
    return shares


def _line(value: Float64, bins: int) -> Palette:
    """Soft bins along [0, 1], the first and last bin centred on its ends."""
    place = np.clip(value, 0, 1) * (bins - 1)
    low = np.minimum(place.astype(np.int64), bins - 2)
    return Palette(low, 1 - (place - low), place - low, bins)


def _pyramid(fine: Float64) -> Float64:
    """`[n, CELLS, k]`: means over the whole, over its quarters, and the GRID·GRID cells `[n, 16, k]` themselves."""
    n, _, k = fine.shape
    half = fine.reshape(n, 2, 2, 2, 2, k)
    # Added one by one: the order of a sum over axes could depend on n.
    half = (half[:, :, 0, :, 0] + half[:, :, 0, :, 1] + half[:, :, 1, :, 0] + half[:, :, 1, :, 1]) / 4
    whole = (half[:, 0, 0] + half[:, 0, 1] + half[:, 1, 0] + half[:, 1, 1]) / 4
    return np.concatenate([whole[:, None], half.reshape(n, 4, k), fine], axis=1)
