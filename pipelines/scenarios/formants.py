"""A voice's filter: formants of vowels, and a source that is sent through them frame by frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.scenarios.sounds import BASE_RATE, Sound
from pipelines.scenarios.streams import Floats

# First three formants in Hz of the vowels i, e, a, o, u, ə (Peterson & Barney 1952, men's means, rounded).
MEN = np.array(
    [
        [270, 2290, 3010],
        [530, 1840, 2480],
        [730, 1090, 2440],
        [570, 840, 2410],
        [300, 870, 2240],
        [490, 1350, 1690],
    ]
)
MODAL = np.array([70.0, 100.0, 150.0])
"""Hz, the formants' bandwidths, typical of modal voice."""

_FRAME, _HOP = 512, 256  # 32 ms with half overlap: formants move from syllable to syllable
_WINDOW = np.hanning(_FRAME + 1)[:-1].astype(np.float32)  # sums to 1 at half overlap
FREQUENCIES = np.fft.rfftfreq(_FRAME, 1 / BASE_RATE)
"""`[257]` Hz, at which responses are given."""


def octaves_above(hertz: float) -> Floats:
    """`[257]` how far each of FREQUENCIES (from 125 Hz on) lies above this one."""
    found: Floats = np.log2(np.maximum(FREQUENCIES, 125) / hertz)
    return found


def response(formants: Floats, bandwidths: Floats) -> Floats:
    """Magnitude `[S, 257]` of second-order resonators in series at formants `[S, 3]`, each 1 at 0 Hz."""
    f, center, width = FREQUENCIES, formants[..., None], bandwidths[:, None]
    gain = center**2 / np.sqrt((center**2 - f**2) ** 2 + (width * f) ** 2)  # [S, 3, 257]
    product: Floats = gain.prod(axis=1)
    return product


def filtered(source: Sound, responses: npt.NDArray[np.floating], which: npt.NDArray[np.int64]) -> Sound:
    """The source `[n]`, each frame by the response of its middle sample.

    Args:
        source: samples at BASE_RATE.
        responses: `[S, 257]`.
        which: `[n]` the response that each sample belongs to.
    """
    padded = np.concatenate([np.zeros(_HOP, np.float32), source, np.zeros(_FRAME, np.float32)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]  # [F, 512]
    middles = np.minimum(np.arange(len(frames)) * _HOP, len(source) - 1)
    spectra = np.fft.rfft(frames * _WINDOW) * responses.astype(np.float32)[which[middles]]
    passed = np.fft.irfft(spectra)  # [F, 512]
    halves = np.zeros((len(frames) + 1, _HOP), dtype=np.float32)
    halves[:-1] += passed[:, :_HOP]
    halves[1:] += passed[:, _HOP:]
    return halves.reshape(-1)[_HOP : _HOP + len(source)]
