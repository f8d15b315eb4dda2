"""Small encoders of our own as `amalgam train` would leave them, without the time that training takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from models.artifacts import save
from models.encoders._learned import CLEANING, LearnedEncoderSpec
from models.fusion.base import seeded
from models.spec import discover
from tests.models.encoders.values import VALUES

KINDS = ("audio_cnn", "cnn", "rnn", "rnn_series", "table")
CLEANED = "as it was"  # stands for a modality's fingerprint
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"size": 32},
    "rnn": {"vocabulary": 400, "max_tokens": 48},
    "audio_cnn": {"max_seconds": 0.5},
    "rnn_series": {"max_events": 16},
}
"""Kind -> settings that make it quick, and that some of the sample values exceed."""


def untrained(kind: str, **settings: Any) -> LearnedEncoderSpec:
    """The Spec as a job file has it."""
    cls = discover("encoder")[kind]
    assert issubclass(cls, LearnedEncoderSpec)
    return cls(**{"dim": 32, "device": "cpu", **SMALL.get(kind, {}), **settings})


def sample(spec: LearnedEncoderSpec, rows: int, seed: int = 5) -> pa.Array:
    """Cleaned values of the kind's modality type."""
    return VALUES[spec.modality](np.random.default_rng(seed), rows, spec.requires())


def trained(kind: str, folder: Path, **settings: Any) -> LearnedEncoderSpec:
    """The Spec of an artifact: what 64 values teach, weights from a seed, norms that have seen these values."""
    spec = untrained(kind, **settings)
    compact = spec.compact(sample(spec, 64))
    learned = spec.taught(compact)
    inputs = learned.inputs(compact)
    with seeded(3), torch.no_grad():
        network = learned.network()
        rows = np.arange(len(inputs))
        width = int(inputs.lengths.max())
        network(torch.from_numpy(inputs.padded(rows, width)), torch.from_numpy(inputs.lengths))
    save(folder, learned, network, sources={CLEANING: CLEANED}, card={})
    return spec.with_artifact(folder, CLEANED)
