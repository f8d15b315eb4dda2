"""Small vision models of every common family, saved with image processors of their own as a user would have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers as hf
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from tests.models.encoders.tiny_models import SIZE

Chosen = Callable[[Any], Tensor]
"""A model's output for one picture by itself -> the embedding `[D]`."""

SMALL: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": SIZE,
    "patch_size": 8, "initializer_range": 0.2,
}  # fmt: skip
TEXT: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 20,
}  # fmt: skip


class ImageFamily(NamedTuple):
    """One family: how to save a small model of it, and what its documentation calls the embedding of a picture."""

    save: Callable[[Path], None]
    expected: Chosen


def first(output: Any) -> Tensor:
    """The class token's state."""
    states: Tensor = output.last_hidden_state[0]
    return states[0]


def mean(output: Any) -> Tensor:
    """The mean of all patches' states."""
    states: Tensor = output.last_hidden_state[0]
    return states.mean(dim=0)


def map_mean(output: Any) -> Tensor:
    """The mean over a feature map `[D, H, W]`."""
    states: Tensor = output.last_hidden_state[0]
    return states.mean(dim=(1, 2))


def pooled(output: Any) -> Tensor:
    """What the model pools itself."""
    embeddings: Tensor = output.pooler_output
    return embeddings[0]


def save(folder: Path, model: type[PreTrainedModel], config: PreTrainedConfig) -> None:
    """A model with seeded weights, and an image processor that only scales pixels."""
    torch.manual_seed(3)
    network = model(config).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("bias"):  # they start at zero, where a bias that is left out would go unseen
                weight.normal_(std=0.1)
    network.save_pretrained(folder)
    hf.ViTImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.25, 0.3]
    ).save_pretrained(folder)


def family(model: type[PreTrainedModel], config: PreTrainedConfig, expected: Chosen) -> ImageFamily:
    """A family whose model is made of this configuration."""
    return ImageFamily(lambda folder: save(folder, model, config), expected)


IMAGE_FAMILIES = {
    "vit": family(hf.ViTModel, hf.ViTConfig(**SMALL), first),
    "dinov2": family(hf.Dinov2Model, hf.Dinov2Config(**SMALL), first),
    "swin": family(
        hf.SwinModel,
        hf.SwinConfig(image_size=SIZE, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4),
        mean,
    ),
    "resnet": family(hf.ResNetModel, hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1]), map_mean),
    "convnext": family(
        hf.ConvNextModel, hf.ConvNextConfig(hidden_sizes=[8, 12], depths=[1, 1], num_stages=2), map_mean
    ),
    "clip": family(hf.CLIPModel, hf.CLIPConfig(text_config=TEXT, vision_config=SMALL, projection_dim=12), pooled),
    "clip_tower": family(hf.CLIPVisionModel, hf.CLIPVisionConfig(**SMALL), pooled),
    "siglip": family(hf.SiglipModel, hf.SiglipConfig(text_config=TEXT, vision_config=SMALL), pooled),
    "siglip_tower": family(hf.SiglipVisionModel, hf.SiglipVisionConfig(**SMALL), pooled),
}
"""Family -> how it is saved and pooled."""
