"""Tests of the sound encoder around pretrained models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoModel

from models.arrow import Float32
from models.encoders.base import Padded, Waste
from models.encoders.huggingface_audio import HuggingFaceAudioSpec
from models.errors import ConfigError
from tests.models.encoders.audio_families import AUDIO_FAMILIES
from tests.models.encoders.tiny_models import RATE, audio_folder, spectrogram_folder

LENGTHS = (4000, 9000, 2500, 9000, 6001)
SOUNDS: list[Float32] = [
    np.random.default_rng(n).normal(0, 0.1, n + i).astype(np.float32)[:n] for i, n in enumerate(LENGTHS)
]
VALUES = pa.array(SOUNDS, pa.list_(pa.float32()))


def alone(folder: Path, sound: Float32) -> torch.Tensor:
    """States [T, D] of one sound by itself, as transformers' own documentation computes them."""
    model, extractor = AutoModel.from_pretrained(folder).eval(), AutoFeatureExtractor.from_pretrained(folder)
    with torch.no_grad():
        states: torch.Tensor = model(**extractor(sound, sampling_rate=RATE, return_tensors="pt")).last_hidden_state[0]
    return states


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_a_sound_does_not_feel_its_batch(tmp_path: Path, norm: str) -> None:
    """Padded with a mask, or never padded where a norm over time would see it: each row is the sound's own mean."""
    folder = audio_folder(tmp_path, norm)

    rows = HuggingFaceAudioSpec(weights=str(folder)).build()(VALUES)

    for row, sound in zip(rows, SOUNDS, strict=True):
        np.testing.assert_allclose(row, alone(folder, sound).mean(dim=0).numpy(), atol=1e-5)


def test_rate_and_size_are_known_without_weights(tmp_path: Path) -> None:
    """The cleaner is told the rate of the model's own feature extractor."""
    folder = audio_folder(tmp_path)
    (folder / "model.safetensors").unlink()
    spec = HuggingFaceAudioSpec(weights=str(folder))

    assert spec.requires() == {"rate": RATE}
    assert spec.output_dim == 16


def test_a_rate_that_nobody_knows_is_a_configuration_error(tmp_path: Path) -> None:
    """Sound at the wrong rate would be embedded without a complaint."""
    folder = audio_folder(tmp_path)
    (folder / "preprocessor_config.json").unlink()

    with pytest.raises(ConfigError, match="sampling_rate"):
        HuggingFaceAudioSpec(weights=str(folder)).requires()


def test_sounds_of_no_length_are_filled(tmp_path: Path) -> None:
    """No samples at all are embedded as a tenth of a second of silence."""
    encoder = HuggingFaceAudioSpec(weights=str(audio_folder(tmp_path))).build()

    rows = encoder(pa.array([[], [0.0] * 1600], pa.list_(pa.float32())))

    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_spectrogram_models_work(tmp_path: Path) -> None:
    """An audio spectrogram transformer takes one picture per sound and needs no mask."""
    folder = spectrogram_folder(tmp_path)

    rows = HuggingFaceAudioSpec(weights=str(folder)).build()(VALUES)

    np.testing.assert_allclose(rows[1], alone(folder, SOUNDS[1]).mean(dim=0).numpy(), atol=1e-5)


def windowed(folder: Path, **settings: Any) -> Float32:
    """A sound of 9000 samples in windows of 4000, 4000 and 1000 (filled up to a tenth of a second, 1600)."""
    spec = HuggingFaceAudioSpec.model_validate({"weights": str(folder), "window_seconds": 0.25, **settings})
    row: Float32 = spec.build()(pa.array([SOUNDS[1]], pa.list_(pa.float32())))[0]
    return row


def test_long_sounds_are_the_mean_of_their_windows(tmp_path: Path) -> None:
    """Each window counts by its samples: (4·a + 4·b + 1·c) / 9, of length 1 at the end where asked for."""
    folder = audio_folder(tmp_path)
    parts = SOUNDS[1][:4000], SOUNDS[1][4000:8000], np.pad(SOUNDS[1][8000:], (0, 600))
    a, b, c = (alone(folder, part).mean(dim=0).numpy() for part in parts)
    mean = (4 * a + 4 * b + c) / 9

    np.testing.assert_allclose(windowed(folder, windows="mean"), mean, atol=1e-5)
    np.testing.assert_allclose(windowed(folder, windows="mean", normalize=True), mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(windowed(folder), a, atol=1e-5)


def test_models_of_fixed_length_are_windowed_by_it(tmp_path: Path) -> None:
    """AST reads 64 frames, which are 10,480 samples: the rest of a longer sound is a second window."""
    folder = spectrogram_folder(tmp_path)
    sound = np.random.default_rng(5).normal(0, 0.1, 12_480).astype(np.float32)
    values = pa.array([sound], pa.list_(pa.float32()))
    a, b = (alone(folder, part).mean(dim=0).numpy() for part in (sound[:10_480], sound[10_480:]))

    first = HuggingFaceAudioSpec(weights=str(folder)).build()(values)[0]
    mean = HuggingFaceAudioSpec(weights=str(folder), windows="mean").build()(values)[0]

    np.testing.assert_allclose(first, a, atol=1e-5)
    np.testing.assert_allclose(mean, (10_480 * a + 2_000 * b) / 12_480, atol=1e-5)
    with pytest.raises(ConfigError, match=r"window_seconds must be at most the 0\.655 that the model reads; got 1"):
        HuggingFaceAudioSpec(weights=str(folder), window_seconds=1).build()


def test_padding_is_counted(tmp_path: Path) -> None:
    """Two rows of 9000 and 4000 samples are 18,000; a sound of none is filled up to 1600."""
    encoder = HuggingFaceAudioSpec(weights=str(audio_folder(tmp_path)), max_batch_rows=2).build()

    encoder(pa.array([SOUNDS[0], [], SOUNDS[1]], pa.list_(pa.float32())))

    assert isinstance(encoder, Padded)
    assert encoder.waste() == Waste(padded=2 * 9000 + 1600, real=4000 + 9000)


def test_whisper_pays_for_thirty_seconds(tmp_path: Path) -> None:
    """A model of fixed length computes all of it for the shortest sound, and batches are cut by that."""
    AUDIO_FAMILIES["whisper"].save(tmp_path)
    encoder = HuggingFaceAudioSpec(weights=str(tmp_path), max_batch_seconds=60).build()

    encoder(VALUES.slice(0, 3))

    assert [len(rows) for rows in encoder._batches(np.array([4000, 9000, 2500]))] == [2, 1]
    assert encoder.waste() == Waste(padded=3 * 30 * RATE, real=4000 + 9000 + 2500)


@pytest.mark.parametrize("setting", [{"windows": "mean"}, {"window_seconds": 1.0}, {"layer": 0}, {"truncate_dim": 8}])
def test_what_changes_results_is_in_the_fingerprint(tmp_path: Path, setting: dict[str, Any]) -> None:
    """Every setting that changes a number makes other embeddings; how much runs at once does not."""
    plain = HuggingFaceAudioSpec(weights=str(audio_folder(tmp_path)))
    changed = HuggingFaceAudioSpec.model_validate({"weights": plain.weights, **setting})

    assert changed.fingerprint() != plain.fingerprint()
    assert HuggingFaceAudioSpec(weights=plain.weights, max_batch_rows=2).fingerprint() == plain.fingerprint()
