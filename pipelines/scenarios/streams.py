"""Seeded random streams: every draw belongs to a customer and an occasion, never to a place in a loop."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]


class Stream(IntEnum):
    """What a stream is drawn for. A new one gets a new number; a changed number changes every data set."""

    TRAITS = 0
    STATES = 1
    GAPS = 2
    CHANGES = 3
    OUTCOMES = 4
    DAMAGE = 5
    POPULATION = 6
    EPISODES = 7
    SIMULATION = 8
    DAY = 9
    VIEW = 10
    """Plus the modality's number: noise in what it shows."""
    MEDIA = 20
    """Plus the modality's number: how its values are drawn."""


def generator(seed: int, stream: int, *numbers: int) -> np.random.Generator:
    """The generator of (seed, stream, numbers): always the same, independent of all others.

    Philox is counter-based (Salmon et al. 2011): seed and stream are its key, and up to three numbers (0 or more,
    missing ones are 0) the upper words of its counter, so making one costs no mixing of entropy.
    """
    counter = np.zeros(4, dtype=np.uint64)
    counter[1 : 1 + len(numbers)] = numbers
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64), counter=counter))


def normals(seed: int, stream: int, keys: Ints, count: int) -> Floats:
    """`[n, count]` standard normals; row i comes from the stream of `keys[i]` (keys int64 `[n, k]`) alone."""
    rows = [generator(seed, stream, *key).standard_normal(count) for key in keys.tolist()]
    return np.array(rows).reshape(len(keys), count)


def uniforms(seed: int, stream: int, keys: Ints, count: int) -> Floats:
    """`[n, count]` uniform numbers in [0, 1); row i comes from the stream of `keys[i]` alone."""
    rows = [generator(seed, stream, *key).random(count) for key in keys.tolist()]
    return np.array(rows).reshape(len(keys), count)
