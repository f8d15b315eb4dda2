"""Tests of the sound encoder around pretrained models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoModel, WhisperConfig, WhisperFeatureExtractor, WhisperModel

from models.arrow import Float32
from models.encoders.huggingface_audio import HuggingFaceAudioSpec
from models.errors import ConfigError
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


def test_whisper_is_used_by_its_encoder(tmp_path: Path) -> None:
    """Only frames that hold sound enter the mean: Whisper always computes 30 seconds, two mel frames to a state."""
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=20, vocab_size=50, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    model = WhisperModel(config).eval()
    model.save_pretrained(tmp_path)
    extractor = WhisperFeatureExtractor(feature_size=20)
    extractor.save_pretrained(tmp_path)
    spec = HuggingFaceAudioSpec(weights=str(tmp_path))

    rows = spec.build()(VALUES.slice(0, 2))

    features = extractor(SOUNDS[0], sampling_rate=RATE, return_tensors="pt").input_features
    with torch.no_grad():
        states = model.get_encoder()(features).last_hidden_state[0]
    assert spec.output_dim == 16
    # 4000 samples are 25 mel frames of 160, and 13 states.
    np.testing.assert_allclose(rows[0], states[:13].mean(dim=0).numpy(), atol=1e-5)
