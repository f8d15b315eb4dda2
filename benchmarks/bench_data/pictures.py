"""JPEGs of 256 to 640 pixels with the statistics of photographs, so that decoding them costs what photographs cost."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDES = (256, 640)
_QUALITY = (75, 95)  # what cameras, phones and web shops write
_SHEET = 1536  # side of the noise that pictures are cut from: more than twice the longest side
# Amplitude spectra of photographs fall like 1/f (Field 1987); outlines of things are smoother.
_SURFACE, _OUTLINE = 1.0, 2.0
_SHARED = 0.85  # how much of a surface's pattern its three colours share: photographs are mostly light and dark

Pixels = npt.NDArray[np.float32]


def draw(rng: np.random.Generator) -> bytes:
    """A JPEG: two surfaces of their own colours and contrasts, divided by smooth outlines."""
    height, width = (int(n) for n in rng.integers(SIDES[0], SIDES[1] + 1, 2))
    is_thing = _cut(_sheets()[2], height, width, rng) > rng.normal(0, 0.5)  # [H, W]
    scene = np.where(is_thing[..., None], _surface(height, width, rng), _surface(height, width, rng))  # [H, W, 3]
    out = io.BytesIO()
    pixels = np.clip(scene, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=int(rng.integers(*_QUALITY)))
    return out.getvalue()


def _surface(height: int, width: int, rng: np.random.Generator) -> Pixels:
    """`[H, W, 3]`: a colour, and light and dark around it."""
    shared, own, _ = _sheets()
    light = _cut(shared, height, width, rng)[..., None]  # [H, W, 1]
    pattern = np.float32(_SHARED) * light + np.float32(1 - _SHARED) * _cut(own, height, width, rng)
    colour = rng.uniform(40, 215, 3).astype(np.float32)
    return np.asarray(colour + np.float32(rng.uniform(6, 36)) * pattern)


def _cut(sheet: Pixels, height: int, width: int, rng: np.random.Generator) -> Pixels:
    """A window of the sheet, turned over or not."""
    top, left = (int(n) for n in rng.integers(0, [_SHEET - height, _SHEET - width]))
    down, along = (1 if chance < 0.5 else -1 for chance in rng.random(2))
    return sheet[top : top + height, left : left + width][::down, ::along]


@cache
def _sheets() -> tuple[Pixels, Pixels, Pixels]:
    """Surfaces `[S, S]`, their colours `[S, S, 3]` and outlines `[S, S]`; standard deviation 1, made once."""
    rng = np.random.default_rng(0)
    colours = np.stack([_noise(_SURFACE, rng) for _ in range(3)], axis=-1)
    return _noise(_SURFACE, rng), colours, _noise(_OUTLINE, rng)


def _noise(exponent: float, rng: np.random.Generator) -> Pixels:
    """`[S, S]` noise whose amplitude falls like f^-exponent."""
    across, down = np.fft.rfftfreq(_SHEET), np.fft.fftfreq(_SHEET)
    frequency = np.hypot(down[:, None], across[None, :])
    frequency[0, 0] = np.inf  # no mean
    spectrum = np.fft.rfft2(rng.standard_normal((_SHEET, _SHEET))) / frequency**exponent
    noise = np.fft.irfft2(spectrum)
    return np.asarray(noise / noise.std(), dtype=np.float32)
