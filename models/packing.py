"""The embeddings of a batch as one matrix, whose blocks become what a fusion reads; only `unpack` loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from models.arrow import Float32, to_numpy, valid_mask
from models.columns import column_of
from models.errors import ConfigError, InternalError
from models.schema import emb_column, embedding_type

if TYPE_CHECKING:
    from torch import Tensor


def pack(batch: pa.RecordBatch, inputs: Mapping[str, int]) -> Float32:
    """`[n, M·D + M]`: the padded embeddings, then 1 where a modality is *absent* (so that rows of zeros are present).

    Args:
        batch: with `emb_<m>` (null: masked) of every modality.
        inputs: modality -> width, in the fusion's order; D is the largest.

    Raises:
        ConfigError: an embedding is missing or not as wide as the fusion's input.
        InternalError: a row has no modality at all.
    """
    width = max(inputs.values())
    packed = np.zeros((batch.num_rows, len(inputs) * width + len(inputs)), np.float32)
    for index, (modality, dim) in enumerate(inputs.items()):
        column = column_of(batch, emb_column(modality))
        if column.type != embedding_type(dim):
            raise ConfigError(f"{emb_column(modality)} must be {embedding_type(dim)}; got {column.type}")
        valid = valid_mask(column)
        packed[valid, index * width : index * width + dim] = to_numpy(column)[valid]
        packed[:, len(inputs) * width + index] = ~valid
    if packed[:, len(inputs) * width :].all(axis=1).any():
        raise InternalError("every row must have at least one modality when it is fused; got one without")
    return packed


def unpack(block: Float32, modalities: int) -> tuple[Tensor, Tensor]:
    """A block `[B, M·D + M]` of `pack` as `x` `[B, M, D]` and `mask` `[B, M]`, True where present."""
    import torch

    x = torch.from_numpy(block[:, :-modalities]).reshape(len(block), modalities, -1)  # [B, M, D]
    return x, torch.from_numpy(block[:, -modalities:] == 0)  # [B, M]


def finite_rows(rows: Float32, what: str) -> Float32:
    """The rows as they are.

    Raises:
        FloatingPointError: one of them is not finite.
    """
    if not np.isfinite(rows).all():
        raise FloatingPointError(f"{what} must give finite numbers; got NaN or infinity")
    return rows
