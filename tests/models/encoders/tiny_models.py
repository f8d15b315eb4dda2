"""Small Hugging Face models with random weights, saved to folders as a user would have them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTModel,
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
)

RATE = 16_000
SIZE = 32
WORDS = [
    "the",
    "a",
    "shoe",
    "shoes",
    "arrived",
    "late",
    "early",
    "never",
    "again",
    "love",
    "hate",
    "it",
    "good",
    "bad",
    "very",
    "not",
]


def text_folder(folder: Path) -> Path:
    """BERT of width 16 with a tokenizer of 21 words; anything else is [UNK]."""
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    return _saved(BertModel, config, folder)


def image_folder(folder: Path) -> Path:
    """ViT of width 16 for pictures of 32·32 pixels."""
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=SIZE,
        patch_size=8,
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "ViTImageProcessor",
            "do_normalize": True,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "image_mean": [0.4, 0.5, 0.6],
            "image_std": [0.2, 0.25, 0.3],
            "size": {"height": SIZE, "width": SIZE},
        },
    )
    return _saved(ViTModel, config, folder)


def audio_folder(folder: Path, norm: str = "layer") -> Path:
    """wav2vec 2.0 of width 16 with three convolutions that shorten 16 kHz by 80; `norm` as in its config."""
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 8, 8),
        conv_kernel=(10, 4, 4),
        conv_stride=(5, 4, 4),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        apply_spec_augment=False,
    )
    Wav2Vec2FeatureExtractor(
        sampling_rate=RATE, do_normalize=True, return_attention_mask=norm == "layer"
    ).save_pretrained(folder)
    return _saved(Wav2Vec2Model, config, folder)


def spectrogram_folder(folder: Path) -> Path:
    """Audio spectrogram transformer of width 16 over 64 frames."""
    config = ASTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_length=64,
        num_mel_bins=32,
    )
    ASTFeatureExtractor(sampling_rate=RATE, max_length=64, num_mel_bins=32).save_pretrained(folder)
    return _saved(ASTModel, config, folder)


FOLDERS = {"text": text_folder, "image": image_folder, "audio": audio_folder}
"""Modality -> what saves a small model for it."""


def write_json(path: Path, value: object) -> None:
    """Write a file of settings, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def _saved(model: type[PreTrainedModel], config: object, folder: Path) -> Path:
    torch.manual_seed(3)
    model(config).eval().save_pretrained(folder)
    return folder
