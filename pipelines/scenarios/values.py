"""Values of a modality: one per row, each drawn from the stream of its own subject and occasion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from pipelines.scenarios.streams import Bools, Floats, Ints, Stream, generator
from pipelines.scenarios.world import World

Draw: TypeAlias = Callable[[Floats, np.random.Generator], bytes]
"""From a standardized view `[k]` and a generator to an encoded value."""


def rngs(seed: int, world: World, modality: str, subject: Ints, occasion: Ints) -> list[np.random.Generator]:
    """One generator per row for drawing this modality."""
    stream = Stream.MEDIA + world.modalities.index(modality)
    return [generator(seed, stream, *key) for key in zip(subject.tolist(), occasion.tolist(), strict=True)]


def encoded(draw: Draw, each: Sequence[np.random.Generator], shown: Floats, present: Bools) -> list[bytes | None]:
    """One encoded value per row of standardized views `[n, k]`; None where absent."""
    rows = zip(each, shown, present.tolist(), strict=True)
    return [draw(view, rng) if there else None for rng, view, there in rows]


def strings(values: Sequence[bytes | None]) -> pa.StringArray:
    """A string column of these bytes, also where they are not UTF-8 (which `pa.array` refuses)."""
    binary = pa.array(values, pa.binary())
    return pa.StringArray.from_buffers(len(binary), binary.buffers()[1], binary.buffers()[2], binary.buffers()[0])
