"""Every common family of pretrained models: our embeddings are those of transformers' own calls, in any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoModel, AutoTokenizer

from models.arrow import Float32, from_numpy
from models.encoders.base import EncoderSpec
from models.encoders.huggingface_audio import HuggingFaceAudioSpec
from models.encoders.huggingface_image import HuggingFaceImageSpec
from models.encoders.huggingface_text import HuggingFaceTextSpec
from tests.models.encoders.audio_families import AUDIO_FAMILIES, AudioFamily
from tests.models.encoders.image_families import IMAGE_FAMILIES, ImageFamily
from tests.models.encoders.text_families import TEXT_FAMILIES, TextFamily
from tests.models.encoders.tiny_models import RATE, SIZE

# Padding, other shapes of batches and other orders of sums: float32 rounding, as CONTRACT.md's guarantee 3 allows.
TOLERANCE = 1e-5

TEXTS = [
    "good shoes", "the shoes arrived late again and again", "", "hate", "very good zzz", "love it " * 80, "never",
]  # fmt: skip
SAMPLES = (4000, 9000, 2500, 9000, 6001, 13_000)
SOUNDS: list[Float32] = [np.random.default_rng(n).normal(0, 0.1, n).astype(np.float32) for n in SAMPLES]
PIXELS = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize("family", TEXT_FAMILIES.values(), ids=TEXT_FAMILIES)
def test_texts_are_embedded_as_transformers_does(tmp_path: Path, family: TextFamily) -> None:
    """Tokenizer, padding, masks and pooling of text models; a text beyond the model's positions is cut."""
    family.save(tmp_path)
    run, tokenizer = caller(tmp_path, "text", family.auto), AutoTokenizer.from_pretrained(tmp_path)
    prefix = family.settings.get("prefix", "")

    def embedded(text: str) -> torch.Tensor:
        call = {"truncation": True, "max_length": family.limit, **family.call}
        inputs = tokenizer(prefix + text, return_tensors="pt", **call)
        return family.expected(run(**inputs))

    spec = HuggingFaceTextSpec.model_validate({"weights": str(tmp_path), **family.settings})

    assert_embeds(spec, pa.array(TEXTS), [embedded(text) for text in TEXTS])


@pytest.mark.parametrize("family", IMAGE_FAMILIES.values(), ids=IMAGE_FAMILIES)
def test_pictures_are_embedded_as_transformers_does(tmp_path: Path, family: ImageFamily) -> None:
    """Scaling of pixels and pooling of vision models."""
    family.save(tmp_path)
    run, processor = caller(tmp_path, "image"), AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    expected = [family.expected(run(**processor(picture, return_tensors="pt"))) for picture in PIXELS]

    spec = HuggingFaceImageSpec(weights=str(tmp_path))

    assert_embeds(spec, from_numpy(PIXELS.reshape(len(PIXELS), -1)), expected)


@pytest.mark.parametrize("family", AUDIO_FAMILIES.values(), ids=AUDIO_FAMILIES)
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask:UserWarning")  # transformers' WavLM
@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values:UserWarning")  # 16 bands are few
def test_sounds_are_embedded_as_transformers_does(tmp_path: Path, family: AudioFamily) -> None:
    """Feature extraction, padding, masks and pooling of sound models."""
    family.save(tmp_path)
    run, extractor = caller(tmp_path, "audio"), AutoFeatureExtractor.from_pretrained(tmp_path)

    def embedded(sound: Float32) -> torch.Tensor:
        inputs = extractor(sound, sampling_rate=RATE, return_tensors="pt")
        if "is_longer" in inputs:  # no sound is; CLAP's extractor says so of one by lot
            inputs["is_longer"] = torch.zeros_like(torch.as_tensor(inputs["is_longer"]))
        return family.expected(run(**inputs), len(sound))

    spec = HuggingFaceAudioSpec(weights=str(tmp_path))

    assert_embeds(spec, pa.array(SOUNDS, pa.list_(pa.float32())), [embedded(sound) for sound in SOUNDS])


def caller(folder: Path, modality: str, auto: Any = AutoModel) -> Callable[..., Any]:
    """The reference: the model, or the half of it that the documentation calls for embeddings of a modality."""
    model = auto.from_pretrained(folder).eval()
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    half = getattr(model, f"get_{modality}_features", model)
    quiet: Callable[..., Any] = torch.no_grad()(half)
    return quiet


def assert_embeds(spec: EncoderSpec, values: pa.Array, expected: list[torch.Tensor]) -> None:
    """All values in one batch, and each by itself, give what is expected of each by itself."""
    wanted = torch.stack(expected).numpy()
    encoder = spec.build()

    together = encoder(values)
    alone = np.concatenate([encoder(values.slice(row, 1)) for row in range(len(values))])

    assert wanted.std(axis=0).mean() > 50 * TOLERANCE  # or every row would pass for every other
    assert spec.output_dim == wanted.shape[1]
    np.testing.assert_allclose(together, wanted, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(alone, wanted, rtol=0, atol=TOLERANCE)
