"""Tabular values without weights: every field, whatever their number, spread over a vector of fixed length."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from models.arrow import Float32, Int64, RowProduct
from models.encoders.base import EncoderSpec
from models.hashing import GOLDEN, hash_strings, mix, salt, signs

LIMIT = 6.0  # standard deviations; a cleaner clips at fitted quantiles, so that only odd data comes so far
STEPS = (-1.0, 0.0, 1.0)  # where the soft steps stand, in standard deviations: near the 16 %, 50 % and 84 % quantiles
STEP_WEIGHT = 0.5  # what is linear in the value comes first


class FeatureVectorEncoder:
    """Each value times a pseudo-random direction of its field's name, summed.

    A numeric value z contributes z, the soft steps tanh(2(z - s)), and an indicator when absent; a category its own
    direction. The directions' entries are ±1, so the sum, divided by the square root of the number of fields, has a
    variance near 1 per coordinate, and while there are fewer directions than coordinates, a linear map recovers each.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n structs; a null field is an absent value."""
        names = [field.name for field in values.type]
        columns = dict(zip(names, values.flatten(), strict=True))
        numeric = {k: v for k, v in columns.items() if not pa.types.is_string(v.type)}
        total = self._numbers(numeric, len(values))
        for name, column in columns.items():
            if name not in numeric:
                total += self._categories(name, column)
        return total / np.float32(np.sqrt(max(len(names), 1)))

    def _numbers(self, columns: dict[str, pa.Array], n: int) -> Float32:
        if not columns or n == 0:
            return np.zeros((n, self.dim), dtype=np.float32)
        features = np.concatenate([numeric_features(column) for column in columns.values()], axis=1)
        roles = ["value", "absent", *(f"step {step}" for step in STEPS)]
        keys = pa.array([f"{name}\0{role}" for name in columns for role in roles])
        directions = signs(hash_strings(keys), self.dim)  # [fields·roles, dim]
        return RowProduct(directions)(features)

    def _categories(self, name: str, column: pa.Array) -> Float32:
        # One direction per distinct category of the batch, and one more, at the end, for an absent value.
        codes = column.dictionary_encode()
        hashes = mix(hash_strings(codes.dictionary) * GOLDEN + salt(f"{name}\0category"))
        directions = signs(np.append(hashes, salt(f"{name}\0absent")), self.dim)
        indices: Int64 = pc.fill_null(codes.indices, len(hashes)).to_numpy(zero_copy_only=False)
        return directions[indices]


class FeatureVectorSpec(EncoderSpec):
    """Standardized numbers, absent-value indicators and hashed categories in one vector; needs no weights."""

    kind: ClassVar[str] = "feature_vector"
    modality: ClassVar[str] = "tabular"

    dim: int = Field(128, ge=16, le=8192)
    """Length of the embedding; 5 for each numeric field and 1 for each category is enough to keep all apart."""

    @property
    def output_dim(self) -> int:
        """Length of the embedding."""
        return self.dim

    def build(self) -> FeatureVectorEncoder:
        """The encoder."""
        return FeatureVectorEncoder(self.dim)


def numeric_features(column: pa.Array) -> Float32:
    """`[n, 2 + len(STEPS)]`: value, absent or not, and the soft steps; all but the indicator are 0 when absent."""
    z = pc.fill_null(column.cast(pa.float32()), np.float32(np.nan)).to_numpy(zero_copy_only=False)
    present = np.isfinite(z)
    z = np.where(present, z, np.float32(0)).clip(-LIMIT, LIMIT)
    steps = [np.where(present, STEP_WEIGHT * np.tanh(2 * (z - np.float32(step))), 0) for step in STEPS]
    return np.stack([z, ~present, *steps], axis=1).astype(np.float32)
