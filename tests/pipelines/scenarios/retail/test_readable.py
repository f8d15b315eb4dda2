"""What the media show can be read by the encoders that need no weights."""

from __future__ import annotations

import pytest

from models.encoders.base import EncoderSpec
from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.encoders.image_histograms import ImageHistogramsSpec
from models.encoders.log_mel import LogMelSpec
from pipelines.scenarios.retail import photo, review, voice
from pipelines.scenarios.retail.world import WORLD
from pipelines.scenarios.values import Draw
from tests.pipelines.scenarios.reading import read_r2
from transforms.modalities.audio import AudioSpec
from transforms.modalities.base import ModalitySpec
from transforms.modalities.image import ImageSpec
from transforms.modalities.text import TextSpec

CASES: list[tuple[str, Draw, type[ModalitySpec], type[EncoderSpec], float]] = [
    # The last number is the least R² of each thing shown, with 256 features from 800 rows.
    ("photo", photo.draw, ImageSpec, ImageHistogramsSpec, 0.8),
    ("review", review.draw, TextSpec, HashedNgramsSpec, 0.5),
    ("call", voice.draw, AudioSpec, LogMelSpec, 0.8),
]


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "draw", "cleaning", "encoding", "least"), CASES, ids=[c[0] for c in CASES])
def test_a_linear_model_reads_what_is_shown(
    modality: str, draw: Draw, cleaning: type[ModalitySpec], encoding: type[EncoderSpec], least: float
) -> None:
    """Ridge regression on the default embedding recovers all that matters of what the modality shows."""
    found = read_r2(draw, len(WORLD.views[modality]), cleaning, encoding)
    pairs = zip(WORLD.views[modality], found, strict=True)
    # The kind of product is a shape, which no histogram holds; no label depends on it.
    read = {shown.latent: r2 for shown, r2 in pairs if shown.latent != "product"}
    assert min(read.values()) > least, read
