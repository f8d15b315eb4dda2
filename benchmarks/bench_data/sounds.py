"""Voice notes of 1 to 5 seconds: those of the retail scenario, longer."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.retail import voice

SECONDS = (1.0, 5.0)


def draw(rng: np.random.Generator) -> bytes:
    """A WAV or FLAC; 8 to 48 kHz, mono or stereo."""
    return voice.draw(rng.standard_normal(2), rng, SECONDS)
