"""Films, notes, sounds, labs and vital signs."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from PIL import Image

from models.encoders.base import EncoderSpec
from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.encoders.image_histograms import ImageHistogramsSpec
from models.encoders.log_mel import LogMelSpec
from pipelines.scenarios.medical import breath, labs, note, phrases, scan, vitals
from pipelines.scenarios.medical.world import WORLD
from pipelines.scenarios.values import Draw
from tests.pipelines.scenarios.reading import read_r2
from transforms.modalities.audio import AudioSpec
from transforms.modalities.base import ModalitySpec
from transforms.modalities.image import ImageSpec
from transforms.modalities.text import TextSpec

NOW = 1_780_272_000_000_000


def film(opacity: float, heart: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A film in grays from 0 to 1, on a grid of 64 by 64; negatives are turned."""
    image = Image.open(io.BytesIO(scan.draw(np.array([opacity, heart]), rng))).convert("L").resize((64, 64))
    pixels = np.asarray(image, dtype=float) / 255
    return 1 - pixels if pixels[:4, :4].mean() > 0.5 else pixels


def test_films_have_several_forms() -> None:
    """PNG and JPEG, gray and coloured, 96 to 144 pixels each way."""
    rng = np.random.default_rng(0)
    images = [Image.open(io.BytesIO(scan.draw(rng.standard_normal(2), rng))) for _ in range(120)]
    assert {image.format for image in images} == {"PNG", "JPEG"}
    assert {image.mode for image in images} == {"L", "RGB"}
    assert all(96 <= side <= 144 for image in images for side in image.size)


def test_clouds_brighten_the_lungs_and_a_large_heart_the_middle() -> None:
    """Opacity shows in the upper lungs and leaves the heart's surroundings, heart the other way round."""
    rng = np.random.default_rng(1)
    lung, side = np.s_[14:30, 14:24], np.s_[40:44, 44:50]  # the right lung's upper half; left of a small heart's border
    clear, cloudy = (np.mean([film(o, 0, rng)[lung].mean() for _ in range(12)]) for o in (-2, 2))
    small, large = (np.mean([film(-2, h, rng)[side].mean() for _ in range(12)]) for h in (-2, 2))
    assert cloudy > clear + 0.1
    assert large > small + 0.1


def test_lengths_of_notes() -> None:
    """14 to 51 words, as the pages say."""
    rng = np.random.default_rng(0)
    words = [len(note.draw(rng.standard_normal(3), rng).split()) for _ in range(1_500)]
    assert 14 <= min(words) < 17
    assert 46 < max(words) <= 51


def test_notes_affirm_and_deny_with_the_same_words() -> None:
    """A feverish patient's note says fever without denying it; another one denies it."""
    rng = np.random.default_rng(2)
    hot, cold = (" ".join(note.draw(np.array([f, 0, 0]), rng).decode().lower() for _ in range(60)) for f in (1.4, -1.4))
    assert "high fever" in hot
    assert "denies fever" not in hot
    assert "denies fever" in cold
    assert "high fever" not in cold


@pytest.mark.parametrize("scale", [phrases.FEVER, phrases.STRAIN, phrases.WHEEZE])
def test_scales_have_all_levels(scale: tuple[tuple[str, ...], ...]) -> None:
    """Nine levels, and no phrase stands for two of them."""
    assert len(scale) == phrases.LEVELS
    assert len({phrase for level in scale for phrase in level}) == sum(len(level) for level in scale)


def test_sounds_have_several_forms() -> None:
    """WAV and FLAC, five rates, 0.8 to 1.3 s, neither silent nor clipped."""
    rng = np.random.default_rng(3)
    contents = [breath.draw(rng.standard_normal(2), rng) for _ in range(120)]
    headers = [soundfile.info(io.BytesIO(content)) for content in contents]
    assert {header.format for header in headers} == {"WAV", "FLAC"}
    assert {header.samplerate for header in headers} == {8_000, 16_000, 22_050, 44_100, 48_000}
    assert all(0.79 < header.duration < 1.33 for header in headers)
    peaks = [np.abs(soundfile.read(io.BytesIO(content))[0]).max() for content in contents]
    assert 0.05 < min(peaks) < max(peaks) < 1


def test_vitals_show_strain_and_fever() -> None:
    """The mean rate of breathing follows the first number shown, the mean temperature the second."""
    rng = np.random.default_rng(4)
    shown = rng.standard_normal((400, 2))
    drawn = vitals.draw(rng.spawn(400), shown, np.ones(400, np.bool_), np.full(400, NOW)).to_pylist()
    breaths = [np.log([event["breaths"] for event in row]).mean() for row in drawn]
    heat = [np.mean([event["temperature"] for event in row]) for row in drawn]
    assert np.corrcoef(breaths, shown[:, 0])[0, 1] > 0.97
    assert np.corrcoef(heat, shown[:, 1])[0, 1] > 0.97


def test_labs_show_fever_strain_and_results() -> None:
    """Leukocytes follow fever, troponin strain, a result what the test found; the age nothing."""
    rng = np.random.default_rng(5)
    shown, found = rng.standard_normal((400, 2)), rng.standard_normal((400, 4))
    everything = labs.Results(found, np.ones((400, 4), np.bool_))
    drawn = labs.draw(rng.spawn(400), shown, np.ones(400, np.bool_), everything)
    assert list(drawn) == [*labs.NUMERIC, *labs.CATEGORICAL]
    pairs = [("leukocytes", shown[:, 0]), ("troponin", shown[:, 1]), ("bnp", found[:, 1])]
    for name, truth in pairs:
        valid = np.array(drawn[name].is_valid())
        assert np.corrcoef(np.log(drawn[name].drop_null().to_numpy()), truth[valid])[0, 1] > 0.97, name
    assert abs(np.corrcoef(drawn["age"].to_numpy(), shown[:, 0])[0, 1]) < 0.2  # four standard errors


CASES: list[tuple[str, Draw, type[ModalitySpec], type[EncoderSpec], float]] = [
    # The last number is the least R² of each thing shown, with 256 features from 800 rows.
    ("scan", scan.draw, ImageSpec, ImageHistogramsSpec, 0.8),
    ("note", note.draw, TextSpec, HashedNgramsSpec, 0.65),
    ("breath", breath.draw, AudioSpec, LogMelSpec, 0.85),
]


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "draw", "cleaning", "encoding", "least"), CASES, ids=[c[0] for c in CASES])
def test_a_linear_model_reads_what_is_shown(
    modality: str, draw: Draw, cleaning: type[ModalitySpec], encoding: type[EncoderSpec], least: float
) -> None:
    """Ridge regression on the default embedding recovers all that the modality shows."""
    found = read_r2(draw, len(WORLD.views[modality]), cleaning, encoding)
    assert min(found) > least, found
