"""Embedded rows whose labels have a known best prediction: a latent normal vector seen through noisy views."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch

from models.arrow import Float32
from models.learn.data import Examples

DIMS = {"photo": 6, "review": 4, "visits": 8}


def examples(rows: int, seed: int = 0, *, noise: float = 0.5, absent: float = 0.1, per_group: int = 1) -> Examples:
    """Rows in which modality m shows latent number m with noise, linearly spread over its width.

    Labels: `churned` with probability sigmoid(2·Σ latents), `spend` = 10 + 3·Σ latents, `segment` = the largest one,
    `interests` = those above 0.
    """
    rng = np.random.default_rng(seed)
    world = np.random.default_rng(7)  # the same directions for every seed
    latents = rng.standard_normal((rows, len(DIMS)))
    mask = rng.random((rows, len(DIMS))) >= absent
    mask[~mask.any(axis=1), 0] = True
    x: Float32 = np.zeros((rows, len(DIMS), max(DIMS.values())), np.float32)
    for index, width in enumerate(DIMS.values()):
        view = latents[:, index] + noise * rng.standard_normal(rows)
        direction = world.standard_normal(width)
        x[:, index, :width] = view[:, None] * direction + 0.1 * rng.standard_normal((rows, width)) + 3
    x[~mask] = 0
    total = latents.sum(axis=1)
    labels = {
        "churned": pa.array(rng.random(rows) < 1 / (1 + np.exp(-2 * total))),
        "spend": pa.array(10 + 3 * total),
        "segment": pa.array(np.array(["art", "books", "cars"])[latents.argmax(axis=1)]),
    }
    above = [np.array(["art", "books", "cars"])[row > 0].tolist() for row in latents]
    labels["interests"] = pa.array(above, pa.list_(pa.string()))
    groups = pa.array([f"customer {i // per_group}" for i in range(rows)])
    return Examples(dict(DIMS), torch.from_numpy(x), torch.from_numpy(mask), labels, groups)


def to_table(rows: Examples) -> pa.Table:
    """The same rows as a table with `emb_<m>` columns, null where absent."""
    columns: dict[str, pa.Array] = {}
    for index, (modality, width) in enumerate(rows.inputs.items()):
        values = pa.array(rows.x[:, index, :width].reshape(-1).numpy())
        absent = pa.array(~rows.mask[:, index].numpy())
        columns[f"emb_{modality}"] = pa.FixedSizeListArray.from_arrays(values, width, mask=absent)
    return pa.table({**columns, **rows.labels, "customer": rows.groups})
