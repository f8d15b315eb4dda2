"""Small text models of every common family, saved with tokenizers of their own as a user would have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers as hf
from tokenizers import pre_tokenizers, processors
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from tests.models.encoders.tiny_models import WORDS, write_json

Chosen = Callable[[Any], Tensor]
"""A model's output for one text by itself -> the embedding `[D]`."""

SMALL: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "max_position_embeddings": 64, "initializer_range": 0.2,
}  # fmt: skip


class TextFamily(NamedTuple):
    """One family: how to save a small model of it, and what its documentation calls the embedding of a text."""

    save: Callable[[Path], None]
    expected: Chosen
    settings: Mapping[str, Any] = {}
    limit: int = 64  # tokens that the model has positions for
    call: Mapping[str, Any] = {}  # what else the reference call hands to the tokenizer
    auto: Any = hf.AutoModel  # the class of transformers that loads it for embeddings


def mean(output: Any) -> Tensor:
    """The mean of all token states of a text without padding."""
    states: Tensor = output.last_hidden_state[0]
    return states.mean(dim=0)


def first(output: Any) -> Tensor:
    """The first token's state."""
    states: Tensor = output.last_hidden_state[0]
    return states[0]


def last(output: Any) -> Tensor:
    """The last token's state."""
    states: Tensor = output.last_hidden_state[0]
    return states[-1]


def pooled(output: Any) -> Tensor:
    """What the model pools itself."""
    embeddings: Tensor = output.pooler_output
    return embeddings[0]


def unit(chosen: Chosen) -> Chosen:
    """The same, scaled to length 1."""
    return lambda output: torch.nn.functional.normalize(chosen(output), dim=0)


def save(
    folder: Path, model: type[PreTrainedModel], config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase
) -> None:
    """A model with seeded weights, and its tokenizer."""
    torch.manual_seed(3)
    with torch.no_grad():
        network = model(config).eval()
        for name, weight in network.named_parameters():
            if name.endswith("bias"):  # they start at zero, where a bias that is left out would go unseen
                weight.normal_(std=0.1)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def pieces() -> hf.BertTokenizer:
    """WordPiece as BERT has it: [CLS] … [SEP]."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return hf.BertTokenizer({word: number for number, word in enumerate([*special, *WORDS, "query", "passage", ":"])})


def unigrams(kind: Callable[..., Any], special: list[str], **settings: Any) -> PreTrainedTokenizerBase:
    """SentencePiece's unigram model as T5, XLM-R and DeBERTa have it, over WORDS and single letters."""
    found = [*(f"▁{word}" for word in WORDS), "▁", *"abcdefghijklmnopqrstuvwxyz"]
    scores = [(name, 0.0) for name in special] + [(piece, -1.0 - len(found) / 100) for piece in found]
    tokenizer: PreTrainedTokenizerBase = kind(vocab=scores, **settings)
    return tokenizer


def letters(kind: Callable[..., Any], special: list[str], ending: str = "", **settings: Any) -> PreTrainedTokenizerBase:
    """Byte-level BPE without merges, one token per letter (`ending` marks a word's last one): RoBERTa, CLIP, Qwen."""
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    symbols += [symbol + ending for symbol in symbols] if ending else []
    vocabulary = {name: number for number, name in enumerate([*special, *symbols])}
    tokenizer: PreTrainedTokenizerBase = kind(vocab=vocabulary, merges=[], **settings)
    return tokenizer


ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
DEBERTA = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
ENDS = ["<|startoftext|>", "<|endoftext|>"]


def bert(folder: Path) -> None:
    """BERT, which MiniLM, E5, BGE and GTE are too."""
    save(folder, hf.BertModel, hf.BertConfig(vocab_size=30, **SMALL), pieces())


def sentence_bert(folder: Path) -> None:
    """A BERT with the files of sentence-transformers, as all-MiniLM-L6-v2 has them."""
    bert(folder)
    types = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write_json(
        folder / "modules.json",
        [{"path": path, "type": f"sentence_transformers.models.{name}"} for path, name in types],
    )
    write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})


def roberta(folder: Path) -> None:
    """RoBERTa, whose positions start behind the padding token's number."""
    config = hf.RobertaConfig(vocab_size=270, **SMALL)
    save(folder, hf.RobertaModel, config, letters(hf.RobertaTokenizer, ROBERTA))


def xlm_roberta(folder: Path) -> None:
    """XLM-R, a RoBERTa with SentencePiece."""
    config = hf.XLMRobertaConfig(vocab_size=60, **SMALL)
    save(folder, hf.XLMRobertaModel, config, unigrams(hf.XLMRobertaTokenizer, ROBERTA))


def distilbert(folder: Path) -> None:
    """DistilBERT, whose config.json calls the width `dim`."""
    config = hf.DistilBertConfig(
        vocab_size=30, dim=32, hidden_dim=48, n_layers=2, n_heads=2, max_position_embeddings=64
    )
    save(folder, hf.DistilBertModel, config, pieces())


def mpnet(folder: Path) -> None:
    """MPNet, with relative positions besides those of RoBERTa."""
    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "[UNK]": 3, "<mask>": 4}
    vocabulary = special | {word: number for number, word in enumerate(WORDS, start=len(special))}
    save(folder, hf.MPNetModel, hf.MPNetConfig(vocab_size=30, pad_token_id=1, **SMALL), hf.MPNetTokenizer(vocabulary))


def deberta(folder: Path) -> None:
    """DeBERTa-v3: content and relative positions apart, as its released configurations say."""
    config = hf.DebertaV2Config(
        vocab_size=60, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8,
        norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False, **SMALL,
    )  # fmt: skip
    save(folder, hf.DebertaV2Model, config, unigrams(hf.DebertaV2Tokenizer, DEBERTA, unk_id=3))


def modernbert(folder: Path) -> None:
    """ModernBERT, whose second layer sees a window of 4 tokens to either side."""
    config = hf.ModernBertConfig(
        vocab_size=30, pad_token_id=0, local_attention=8, global_attn_every_n_layers=2, cls_token_id=2,
        bos_token_id=2, eos_token_id=3, sep_token_id=3, **SMALL,
    )  # fmt: skip
    save(folder, hf.ModernBertModel, config, pieces())


def t5(folder: Path) -> None:
    """T5's encoder alone, as sentence-t5 and gtr are saved."""
    config = hf.T5Config(vocab_size=160, d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2)
    save(folder, hf.T5EncoderModel, config, unigrams(hf.T5Tokenizer, ["<pad>", "</s>", "<unk>"]))


def whole_t5(folder: Path) -> None:
    """T5 with its decoder, of which only the encoder is used."""
    config = hf.T5Config(vocab_size=160, d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2)
    save(folder, hf.T5ForConditionalGeneration, config, unigrams(hf.T5Tokenizer, ["<pad>", "</s>", "<unk>"]))


def qwen(folder: Path) -> None:
    """A decoder as Qwen's embedding models are: causal, an end token behind every text."""
    config = hf.Qwen2Config(vocab_size=270, num_key_value_heads=1, **SMALL)
    tokenizer = letters(hf.Qwen2Tokenizer, ["<|endoftext|>"])
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    save(folder, hf.Qwen2Model, config, tokenizer)


TOWER = {**SMALL, "vocab_size": 560}
PICTURE = {
    "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16,
    "patch_size": 8,
}  # fmt: skip


def clip_text_config(**more: Any) -> dict[str, Any]:
    """CLIP's text half; the end token is the first of those that also fill up."""
    return {**TOWER, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, **more}


def clip(folder: Path) -> None:
    """CLIP, used by its text half in the space that both halves share."""
    config = hf.CLIPConfig(text_config=clip_text_config(), vision_config=PICTURE, projection_dim=12)
    save(folder, hf.CLIPModel, config, letters(hf.CLIPTokenizer, ENDS, "</w>"))


def clip_tower(folder: Path) -> None:
    """CLIP's text half saved by itself."""
    save(folder, hf.CLIPTextModel, hf.CLIPTextConfig(**clip_text_config()), letters(hf.CLIPTokenizer, ENDS, "</w>"))


def siglip(folder: Path) -> None:
    """SigLIP, which reads 64 tokens always, and pools the last of them."""
    config = hf.SiglipConfig(text_config={**TOWER, "projection_size": 20}, vision_config=PICTURE)
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=pieces().backend_tokenizer, pad_token="[PAD]", model_max_length=64,
        model_input_names=["input_ids"],
    )  # fmt: skip
    save(folder, hf.SiglipModel, config, tokenizer)


def siglip2(folder: Path) -> None:
    """SigLIP 2, which fills up on the left and masks that."""
    config = hf.Siglip2Config(text_config={**TOWER, "projection_size": 20}, vision_config={
        key: value for key, value in PICTURE.items() if key != "image_size"
    })  # fmt: skip
    special = {name: number for number, name in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"])}
    vocabulary = special | {piece: number for number, piece in enumerate("▁abcdefghijklmnopqrstuvwxyz", start=5)}
    save(folder, hf.Siglip2Model, config, hf.Siglip2Tokenizer(vocabulary, []))


def clap_text(folder: Path) -> None:
    """CLAP, used by its text half, a RoBERTa."""
    config = hf.ClapConfig(
        text_config={**SMALL, "vocab_size": 270, "projection_dim": 12, "initializer_factor": 10.0},
        audio_config=CLAP_AUDIO, projection_dim=12,
    )  # fmt: skip
    save(folder, hf.ClapModel, config, letters(hf.RobertaTokenizer, ROBERTA))


CLAP_AUDIO: dict[str, Any] = {
    "spec_size": 64, "num_mel_bins": 16, "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [2, 2],
    "hidden_size": 16, "window_size": 4, "projection_dim": 12,
}  # fmt: skip

FIXED = {"padding": "max_length"}
TEXT_FAMILIES = {
    "bert": TextFamily(bert, mean),
    "minilm": TextFamily(sentence_bert, unit(mean)),
    "e5": TextFamily(bert, unit(mean), {"prefix": "query: ", "normalize": True}),
    "bge": TextFamily(bert, unit(first), {"pooling": "cls", "normalize": True}),
    "gte": TextFamily(bert, unit(mean), {"pooling": "mean", "normalize": True}),
    "roberta": TextFamily(roberta, mean, limit=62),
    "xlm_roberta": TextFamily(xlm_roberta, mean, limit=62),
    "distilbert": TextFamily(distilbert, mean),
    "mpnet": TextFamily(mpnet, mean, limit=62),
    "deberta_v2": TextFamily(deberta, mean),
    "modernbert": TextFamily(modernbert, mean),
    "t5_encoder": TextFamily(t5, mean, limit=512, auto=hf.AutoModelForTextEncoding),
    "t5": TextFamily(whole_t5, mean, limit=512),
    "qwen": TextFamily(qwen, last, {"pooling": "last"}),
    "clip": TextFamily(clip, pooled),
    "clip_tower": TextFamily(clip_tower, pooled),
    "siglip": TextFamily(siglip, pooled, call=FIXED),
    "siglip2": TextFamily(siglip2, pooled, call=FIXED),
    "clap": TextFamily(clap_text, pooled, limit=62),
}
"""Family -> how it is saved, called and pooled."""
