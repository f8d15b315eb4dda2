"""Values to measure an encoder with before a run's own are read: of typical size, their content does not matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from models.arrow import from_numpy
from models.encoders.base import EncoderSpec

ROWS: Final = 64  # eight of the inner batches that CPUs like best; more are taken by repeating them
SEED: Final = 0  # every machine measures with the same values

# Reviews and support tickets: log-normal, half of them below 45 words, one in twenty above 170, none above 250.
MEDIAN_WORDS, SPREAD, MOST_WORDS = 45, 0.8, 250
WORDS: Final = ("the", "order", "came", "late", "and", "one", "part", "was", "broken", "but", "support", "answered")
SECONDS: Final = (1.0, 5.0)  # of spoken notes and product sounds
BYTES_PER_TOKEN: Final = 4.5  # of English, blanks included; tokenizers of other languages cut finer


def values(encoder: EncoderSpec) -> pa.Array | None:
    """ROWS cleaned values for an encoder; None for a modality of which no typical value is known."""
    make = _MAKERS.get(encoder.modality)
    return None if make is None else make(encoder.requires())


def costs(values: pa.Array, encoder: EncoderSpec) -> list[float]:
    """What each value costs in the unit of its encoder's budget: about so many tokens, seconds; else 1."""
    if encoder.modality == "text":
        return [len(text.encode()) / BYTES_PER_TOKEN + 2 for text in values.to_pylist()]  # 2: [CLS] and [SEP]
    if encoder.modality == "audio":
        rate = int(str(encoder.requires()["rate"]))
        return [samples / rate for samples in values.value_lengths().to_pylist()]
    return [1.0] * len(values)


def _texts(_requires: Mapping[str, object]) -> pa.Array:
    rng = np.random.default_rng(SEED)
    words = rng.lognormal(np.log(MEDIAN_WORDS), SPREAD, ROWS).clip(1, MOST_WORDS).astype(int)
    return pa.array([" ".join(rng.choice(WORDS, count)) for count in words], pa.string())


def _pictures(requires: Mapping[str, object]) -> pa.Array:
    side = int(str(requires["size"]))
    return from_numpy(np.zeros((ROWS, side * side * 3), np.uint8))


def _sounds(requires: Mapping[str, object]) -> pa.Array:
    rng = np.random.default_rng(SEED)
    rate = int(str(requires["rate"]))
    lengths = (rng.uniform(*SECONDS, ROWS) * rate).astype(np.int32)
    noise = rng.uniform(-1, 1, int(lengths.sum())).astype(np.float32)
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)), noise)


_MAKERS: Final[Mapping[str, Callable[[Mapping[str, object]], pa.Array]]] = {
    "text": _texts,
    "image": _pictures,
    "audio": _sounds,
}
