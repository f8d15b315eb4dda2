"""Small sound models of every common family, saved with feature extractors of their own as a user would have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers as hf
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from tests.models.encoders.tiny_models import RATE

Chosen = Callable[[Any, int], Tensor]
"""A model's output for one sound by itself and its number of samples -> the embedding `[D]`."""

# As the released models, but narrow: convolutions that shorten 16 kHz by 80, two layers.
SPEECH: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": (8, 8, 8),
    "conv_kernel": (10, 4, 4), "conv_stride": (5, 4, 4), "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2, "initializer_range": 0.2,
}  # fmt: skip


class AudioFamily(NamedTuple):
    """One family: how to save a small model of it, and what its documentation calls the embedding of a sound."""

    save: Callable[[Path], None]
    expected: Chosen


def mean(output: Any, _: int) -> Tensor:
    """The mean of all states."""
    states: Tensor = output.last_hidden_state[0]
    return states.mean(dim=0)


def mean_of_heard(output: Any, samples: int) -> Tensor:
    """Whisper computes 30 s always: the mean over its states of 20 ms that hold sound, two mel frames to a state."""
    frames = -(-samples // 160)
    states: Tensor = output.last_hidden_state[0]
    return states[: (frames + 1) // 2].mean(dim=0)


def pooled(output: Any, _: int) -> Tensor:
    """What the model pools itself."""
    embeddings: Tensor = output.pooler_output
    return embeddings[0]


def save(folder: Path, model: type[PreTrainedModel], config: PreTrainedConfig, extractor: Any) -> None:
    """A model with seeded weights, and its feature extractor."""
    torch.manual_seed(3)
    network = model(config).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("bias"):  # they start at zero, where a bias that is left out would go unseen
                weight.normal_(std=0.1)
    network.save_pretrained(folder)
    extractor.save_pretrained(folder)


def speech(model: type[PreTrainedModel], config: type[PreTrainedConfig], norm: str) -> Callable[[Path], None]:
    """wav2vec 2.0, HuBERT or WavLM: `group` norm as their base models have it, `layer` norm as their large ones."""

    def save_it(folder: Path) -> None:
        settings = config(**SPEECH, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer")
        extractor = hf.Wav2Vec2FeatureExtractor(
            sampling_rate=RATE, do_normalize=True, return_attention_mask=norm == "layer"
        )
        save(folder, model, settings, extractor)

    return save_it


def whisper(folder: Path) -> None:
    """Whisper, used by its encoder."""
    config = hf.WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=20, vocab_size=50, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None, init_std=0.2,
    )  # fmt: skip
    save(folder, hf.WhisperModel, config, hf.WhisperFeatureExtractor(feature_size=20))


def spectrogram_transformer(folder: Path) -> None:
    """AST over 128 frames, which are 1.3 s."""
    config = hf.ASTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_length=128,
        num_mel_bins=32, initializer_range=0.2,
    )  # fmt: skip
    extractor = hf.ASTFeatureExtractor(sampling_rate=RATE, max_length=128, num_mel_bins=32)
    save(folder, hf.ASTModel, config, extractor)


def clap(fusion: bool) -> Callable[[Path], None]:
    """CLAP, used by its sound half in the space that both halves share; `fusion` adds a second look at long sounds."""

    def save_it(folder: Path) -> None:
        audio = {
            "spec_size": 64, "num_mel_bins": 16, "patch_embeds_hidden_size": 8, "depths": [1, 1],
            "num_attention_heads": [2, 2], "hidden_size": 16, "window_size": 4, "enable_fusion": fusion,
            "initializer_factor": 10.0,
        }  # fmt: skip
        text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        config = hf.ClapConfig(text_config={**text, "vocab_size": 30}, audio_config=audio, projection_dim=12)
        extractor = hf.ClapFeatureExtractor(
            feature_size=16, sampling_rate=RATE, max_length_s=1, truncation="fusion" if fusion else "rand_trunc"
        )
        save(folder, hf.ClapModel, config, extractor)

    return save_it


AUDIO_FAMILIES = {
    "wav2vec2_group": AudioFamily(speech(hf.Wav2Vec2Model, hf.Wav2Vec2Config, "group"), mean),
    "wav2vec2_layer": AudioFamily(speech(hf.Wav2Vec2Model, hf.Wav2Vec2Config, "layer"), mean),
    "hubert_group": AudioFamily(speech(hf.HubertModel, hf.HubertConfig, "group"), mean),
    "hubert_layer": AudioFamily(speech(hf.HubertModel, hf.HubertConfig, "layer"), mean),
    "wavlm_group": AudioFamily(speech(hf.WavLMModel, hf.WavLMConfig, "group"), mean),
    "wavlm_layer": AudioFamily(speech(hf.WavLMModel, hf.WavLMConfig, "layer"), mean),
    "whisper": AudioFamily(whisper, mean_of_heard),
    "ast": AudioFamily(spectrogram_transformer, mean),
    "clap": AudioFamily(clap(fusion=False), pooled),
    "clap_fused": AudioFamily(clap(fusion=True), pooled),
}
"""Family -> how it is saved and pooled."""
