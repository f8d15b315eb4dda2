"""Random cleaned values of every modality type, as `models.schema` describes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from models.arrow import from_numpy
from models.schema import UNKNOWN

Generator = np.random.Generator
WORDS = [
    "shoe",
    "Shoes",
    "très",
    "хорошо",
    "很好吃",
    "😀",
    "!!",
    "don't",
    "x" * 40,
    "12,50",
    "بد",
    "never",
    "again",
    "\t",
]


def texts(rng: Generator, n: int, requires: Mapping[str, object]) -> pa.Array:
    """Texts of 0 to 39 words in several scripts."""
    return pa.array([" ".join(rng.choice(WORDS, size=rng.integers(0, 40))) for _ in range(n)], pa.string())


def images(rng: Generator, n: int, requires: Mapping[str, object]) -> pa.Array:
    """Smooth pictures with noise, some of one colour only."""
    size = int(str(requires["size"]))
    corners = rng.random((n, 2, 2, 3)).repeat(size // 2, axis=1).repeat(size // 2, axis=2)
    noise = rng.normal(0, 0.1, (n, size, size, 3)) * (rng.random((n, 1, 1, 1)) < 0.8)
    return from_numpy(np.clip((corners + noise) * 255, 0, 255).astype(np.uint8).reshape(n, -1))


def sounds(rng: Generator, n: int, requires: Mapping[str, object]) -> pa.Array:
    """Tones and noise of 0 to 0.7 seconds; some silent, some of a single sample."""
    rate = int(str(requires["rate"]))
    lengths = np.where(rng.random(n) < 0.2, rng.integers(0, 3, n), rng.integers(1, int(0.7 * rate), n))
    made = []
    for length in lengths:
        time = np.arange(length) / rate
        tone = rng.choice([0.0, 0.5]) * np.sin(2 * np.pi * rng.uniform(80, 400) * time)
        made.append((tone + rng.choice([0.0, 0.1]) * rng.normal(size=length)).clip(-1, 1).astype(np.float32))
    return pa.array(made, pa.list_(pa.float32()))


def tables(rng: Generator, n: int, requires: Mapping[str, object]) -> pa.Array:
    """Structs with absent values, far outliers and unknown categories."""
    age = pa.array(rng.standard_cauchy(n).astype(np.float32), mask=rng.random(n) < 0.2)
    spend = pa.array(rng.normal(size=n).astype(np.float32))
    segment = pa.array(
        rng.choice(["gold", "new", UNKNOWN, "", "ärger"], n).astype(object), pa.string(), mask=rng.random(n) < 0.2
    )
    return pa.StructArray.from_arrays([age, segment, spend], ["age", "segment", "spend"])


def series(rng: Generator, n: int, requires: Mapping[str, object]) -> pa.Array:
    """Series of 0 to 19 events, some at the same second."""
    lengths = rng.integers(0, 20, n)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    gaps = rng.exponential(80_000, offsets[-1]) * (rng.random(offsets[-1]) < 0.9)
    times = np.concatenate([[], *(1.7e9 + np.cumsum(gaps[a:b]) for a, b in itertools.pairwise(offsets))])
    values = [pa.array(rng.normal(size=offsets[-1]).astype(np.float32)) for _ in range(2)]
    events = pa.StructArray.from_arrays([pa.array(times), *values], ["time", "duration", "amount"])
    return pa.ListArray.from_arrays(pa.array(offsets), events)


VALUES: dict[str, Callable[[Generator, int, Mapping[str, object]], pa.Array]] = {
    "text": texts,
    "image": images,
    "audio": sounds,
    "tabular": tables,
    "series": series,
}
"""Modality type -> a generator of n cleaned values that meet an encoder's `requires()`."""
