"""How well what media show can be read by the encoders that need no weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.encoders.base import EncoderSpec
from pipelines.scenarios.streams import Floats
from pipelines.scenarios.values import Draw
from transforms.modalities.base import ModalitySpec

ROWS, TRAINED = 1_000, 800


def read_r2(
    draw: Draw, width: int, cleaning: Callable[..., ModalitySpec], encoding: Callable[..., EncoderSpec]
) -> list[float]:
    """R² on held-out values of each of the `width` numbers shown: ridge regression on the default embedding."""
    rng = np.random.default_rng(0)
    shown = rng.standard_normal((ROWS, width))
    encoder = encoding()
    cleaned = cleaning(column="x", **encoder.requires()).build()(pa.array([draw(row, rng) for row in shown]))
    features = encoder.build()(cleaned.values)
    return [held_out_r2(features, target) for target in shown.T]


def held_out_r2(features: npt.NDArray[Any], target: Floats) -> float:
    """R² on the last rows of a ridge regression on the first TRAINED ones, at the best of a few penalties."""
    x = features.astype(np.float64) - features[:TRAINED].mean(axis=0)
    x /= features[:TRAINED].std(axis=0) + 1e-6
    train, test, y = x[:TRAINED], x[TRAINED:], target[:TRAINED]
    found = []
    for penalty in (3, 30, 300):
        weights = np.linalg.solve(train.T @ train + penalty * np.eye(x.shape[1]), train.T @ y)
        residual = target[TRAINED:] - test @ weights
        found.append(1 - residual.var() / target[TRAINED:].var())
    return float(max(found))
