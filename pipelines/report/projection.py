"""Principal components: the fused vectors seen from the side where they differ most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.arrow import Float32

FIT_ROWS = 1000  # rows that the directions are found from: enough for two directions, and the cost stays bounded
FLAT = 1e-12  # variance, relative to the vectors' mean square, below which it is rounding


class Projection(NamedTuple):
    """Points in the plane, and how much of the variance each axis holds."""

    points: npt.NDArray[np.float64]
    """`[n, 2]`."""
    explained: tuple[float, float]
    """Shares of the whole variance, in [0, 1]."""


def principal_plane(vectors: Float32) -> Projection | None:
    """`[n, F]` vectors on their first two principal components, or None where the vectors do not differ.

    The components are eigenvectors of the covariance (Jolliffe, Principal Component Analysis, 2002, 3.5),
    found through the Gram matrix of at most FIT_ROWS rows, so the cost is bounded for any F. An eigenvector's
    sign is free: here its largest entry is positive, so the same vectors give the same picture.
    """
    if len(vectors) < 2 or not vectors.shape[1]:
        return None
    rows = np.linspace(0, len(vectors) - 1, min(FIT_ROWS, len(vectors))).astype(int)
    fit = vectors[rows].astype(np.float64)  # [m, F]
    center = fit.mean(axis=0)
    fit -= center
    values, gram_vectors = np.linalg.eigh(fit @ fit.T)  # ascending
    total = float(np.trace(fit @ fit.T))
    if not total > FLAT * len(fit) * max(float(center @ center), 1e-30):
        return None
    values, gram_vectors = np.maximum(values[::-1][:2], 0), gram_vectors[:, ::-1][:, :2]
    directions = fit.T @ gram_vectors  # [F, 2], as long as the square roots of the values
    directions /= np.maximum(np.linalg.norm(directions, axis=0), 1e-30)
    directions *= np.where(directions[np.abs(directions).argmax(axis=0), [0, 1]] < 0, -1, 1)
    # A second value that is only rounding would draw noise.
    directions[:, values < FLAT * total] = 0
    points = vectors.astype(np.float64) @ directions - center @ directions  # [n, 2]
    return Projection(points, (float(values[0] / total), float(values[1] / total)))
