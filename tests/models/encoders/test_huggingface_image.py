"""Tests of the image encoder around pretrained models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, CLIPConfig, CLIPModel, ConvNextConfig, ConvNextModel

from models.arrow import from_numpy
from models.encoders.huggingface_image import HuggingFaceImageSpec
from tests.models.encoders.tiny_models import SIZE, image_folder, write_json

PIXELS = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3)).astype(np.uint8)
PICTURES = from_numpy(PIXELS.reshape(5, -1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ViT."""
    return image_folder(tmp_path_factory.mktemp("vit"))


def prepared() -> torch.Tensor:
    """The pictures as the folder's processor wants them, pixel by pixel: [5, 3, s, s]."""
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    return ((torch.from_numpy(PIXELS).float() / 255 - mean) / std).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("pooling", "choose"), [("cls", lambda s: s[:, 0]), ("mean", lambda s: s.mean(1)), ("auto", lambda s: s[:, 0])]
)
def test_pooling_is_that_of_the_states(folder: Path, pooling: str, choose: Any) -> None:
    """The class token, also as ViT's automatic choice, or the mean of all states."""
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(pixel_values=prepared()).last_hidden_state

    rows = HuggingFaceImageSpec.model_validate({"weights": str(folder), "pooling": pooling, "max_batch": 2}).build()(
        PICTURES
    )

    np.testing.assert_allclose(rows, choose(states).numpy(), atol=1e-5)


def test_size_and_cleaning_are_asked_for(folder: Path) -> None:
    """The cleaner is told what the ViT processor does: a stretched square, bilinear. The length is in config.json."""
    spec = HuggingFaceImageSpec(weights=str(folder))

    assert spec.requires() == {"size": SIZE, "edge": SIZE, "fit": "stretch", "resample": "bilinear", "shrink_to": 4}
    assert spec.output_dim == 16


def test_sub_batches_change_nothing(folder: Path) -> None:
    """The embeddings of one picture at a time are those of all at once."""
    one, all_ = (HuggingFaceImageSpec(weights=str(folder), max_batch=most).build() for most in (1, 64))

    np.testing.assert_allclose(one(PICTURES), all_(PICTURES), rtol=0, atol=1e-6)


def test_feature_maps_are_averaged(tmp_path: Path) -> None:
    """A convolutional model has no class token: the mean over its map is the embedding."""
    torch.manual_seed(0)
    config = ConvNextConfig(hidden_sizes=[8, 12], depths=[1, 1], num_stages=2)
    model = ConvNextModel(config).eval()
    model.save_pretrained(tmp_path)
    write_json(
        tmp_path / "preprocessor_config.json",
        {"size": SIZE, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3]},
    )
    spec = HuggingFaceImageSpec(weights=str(tmp_path))

    rows = spec.build()(PICTURES)

    with torch.no_grad():
        expected = model(prepared()).last_hidden_state.mean(dim=(2, 3))
    assert spec.output_dim == 12
    np.testing.assert_allclose(rows, expected.numpy(), atol=1e-5)


def test_clip_gives_its_projected_space(tmp_path: Path) -> None:
    """A model of text and pictures is used by its picture half, in the space both share."""
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**small, "vocab_size": 20},
        vision_config={**small, "image_size": SIZE, "patch_size": 8},
        projection_dim=6,
    )
    model = CLIPModel(config).eval()
    model.save_pretrained(tmp_path)
    write_json(
        tmp_path / "preprocessor_config.json",
        {"size": SIZE, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3]},
    )
    spec = HuggingFaceImageSpec(weights=str(tmp_path))

    rows = spec.build()(PICTURES)

    with torch.no_grad():
        expected = model.visual_projection(model.vision_model(prepared()).pooler_output)
    assert spec.output_dim == 6
    np.testing.assert_allclose(rows, expected.numpy(), atol=1e-5)
