"""What the media show can be read by the encoders that need no weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from models.encoders.base import EncoderSpec
from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.encoders.image_histograms import ImageHistogramsSpec
from models.encoders.log_mel import LogMelSpec
from pipelines.scenarios import photo, review, voice
from pipelines.scenarios.latents import VIEWS
from pipelines.scenarios.streams import Floats
from transforms.modalities.audio import AudioSpec
from transforms.modalities.base import ModalitySpec
from transforms.modalities.image import ImageSpec
from transforms.modalities.text import TextSpec

ROWS, TRAINED = 1_000, 800
CASES: list[tuple[str, Callable[..., bytes | str], type[ModalitySpec], type[EncoderSpec], float]] = [
    # The last number is the least R² of each thing shown, with 256 features from 800 rows.
    ("photo", photo.draw, ImageSpec, ImageHistogramsSpec, 0.8),
    ("review", review.draw, TextSpec, HashedNgramsSpec, 0.5),
    ("call", voice.draw, AudioSpec, LogMelSpec, 0.8),
]


def held_out_r2(features: npt.NDArray[Any], target: Floats) -> float:
    """R² on the last rows of a ridge regression on the first TRAINED ones, at the best of a few penalties."""
    x = features.astype(np.float64) - features[:TRAINED].mean(axis=0)
    x /= features[:TRAINED].std(axis=0) + 1e-6
    train, test, y = x[:TRAINED], x[TRAINED:], target[:TRAINED]
    found = []
    for penalty in (3, 30, 300):
        weights = np.linalg.solve(train.T @ train + penalty * np.eye(x.shape[1]), train.T @ y)
        residual = target[TRAINED:] - test @ weights
        found.append(1 - residual.var() / target[TRAINED:].var())
    return float(max(found))


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "draw", "cleaning", "encoding", "least"), CASES, ids=[c[0] for c in CASES])
def test_a_linear_model_reads_what_is_shown(
    modality: str,
    draw: Callable[..., bytes | str],
    cleaning: Callable[..., ModalitySpec],
    encoding: Callable[..., EncoderSpec],
    least: float,
) -> None:
    """Ridge regression on the default embedding recovers each thing that the modality shows."""
    rng = np.random.default_rng(0)
    shown = rng.standard_normal((ROWS, len(VIEWS[modality])))
    encoder = encoding()
    cleaned = cleaning(column=modality, **encoder.requires()).build()(pa.array([draw(row, rng) for row in shown]))
    features = encoder.build()(cleaned.values)
    for index, (name, _) in enumerate(VIEWS[modality]):
        assert held_out_r2(features, shown[:, index]) > least, name
