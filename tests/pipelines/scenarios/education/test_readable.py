"""What the media show can be read by the encoders that need no weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from models.encoders.base import EncoderSpec
from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.encoders.image_histograms import ImageHistogramsSpec
from models.encoders.log_mel import LogMelSpec
from pipelines.scenarios.education import answer, essay, speech
from pipelines.scenarios.education.world import WORLD
from pipelines.scenarios.values import Draw
from tests.pipelines.scenarios.reading import read_r2
from transforms.modalities.audio import AudioSpec
from transforms.modalities.base import ModalitySpec
from transforms.modalities.image import ImageSpec
from transforms.modalities.text import TextSpec

CASES: list[tuple[str, Draw, Callable[..., ModalitySpec], type[EncoderSpec], float]] = [
    # The last number is the least R² of each thing shown, with 256 features from 800 rows.
    ("answer", answer.draw, partial(ImageSpec, fit="stretch"), ImageHistogramsSpec, 0.78),
    ("essay", essay.draw, TextSpec, HashedNgramsSpec, 0.85),
    ("speech", speech.draw, AudioSpec, LogMelSpec, 0.9),
]


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "draw", "cleaning", "encoding", "least"), CASES, ids=[c[0] for c in CASES])
def test_a_linear_model_reads_what_is_shown(
    modality: str, draw: Draw, cleaning: Callable[..., ModalitySpec], encoding: type[EncoderSpec], least: float
) -> None:
    """Ridge regression on the default embedding recovers each thing that the modality shows."""
    found = read_r2(draw, len(WORLD.views[modality]), cleaning, encoding)
    assert min(found) > least, found
