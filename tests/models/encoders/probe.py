"""How much of a number a linear map reads from embeddings of rows that it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrow import Float32


def explained(embeddings: Float32, target: npt.NDArray[Any], penalty: float = 10.0) -> float:
    """R² of ridge regression, fitted on the first two thirds and measured on the rest."""
    fit = len(target) * 2 // 3
    x = embeddings.astype(np.float64)
    x = (x - x[:fit].mean(axis=0)) / (x[:fit].std(axis=0) + 1e-9)
    y = target - target[:fit].mean()
    weights = np.linalg.solve(x[:fit].T @ x[:fit] + penalty * np.eye(x.shape[1]), x[:fit].T @ y[:fit])
    return float(1 - np.square(y[fit:] - x[fit:] @ weights).sum() / np.square(y[fit:] - y[fit:].mean()).sum())
