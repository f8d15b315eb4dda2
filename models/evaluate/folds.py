"""Cross-fitting: parts of a log by groups, so that no row is judged by what was learned from it; free of torch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from models.arrow import Int64
from models.evaluate.logged import Float64
from models.learn.split import group_positions


def folds_of(groups: pa.Array, folds: int, seed: int) -> Int64:
    """`[n]` number of each row's part; a group lies in one."""
    parts: Int64 = (group_positions(groups, f"evaluation fold {seed}") * folds).astype(np.int64)
    return parts


def standardized(features: Float64) -> Float64:
    """`[n, F']` columns of mean 0 and variance 1; those that do not vary are left out."""
    spread = features.std(axis=0)
    varying = spread > 1e-9 * np.maximum(np.abs(features).max(axis=0, initial=0.0), 1.0)
    found: Float64 = (features[:, varying] - features[:, varying].mean(axis=0)) / spread[varying]
    return found
