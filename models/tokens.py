"""Texts as token numbers: in chunks where they are long, in one flat array, filled up when a batch is cut."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.arrow import Int64
from models.pretrained import Json

UNBOUNDED_TOKENS = 1_000_000  # tokenizers without a limit say 10^30

# Model types whose positions are numbered from the padding token's number plus one (`padding_idx` in transformers).
OFFSET_POSITIONS = ("roberta", "mpnet", "camembert", "longformer", "xmod", "data2vec-text", "luke")


class Padding(NamedTuple):
    """How texts of unlike lengths become one array."""

    token: int = 0
    """Its number: masked, but some models count positions by it."""
    width: int | None = None
    """Every batch is this wide; None for the longest of the batch."""
    left: bool = False
    """Fill up before the text and not behind it."""
    masked: bool = True
    """Tell the model which tokens are padding; SigLIP was trained to see them."""


class Tokens(NamedTuple):
    """Token numbers of chunks of texts, special tokens included."""

    flat: Int64  # [all tokens]
    offsets: Int64  # [p + 1] where each chunk starts
    owners: Int64  # [p] the text of each chunk, ascending

    @property
    def lengths(self) -> Int64:
        """`[p]` tokens of each chunk."""
        return np.diff(self.offsets)

    def costs(self, padding: Padding) -> Int64:
        """`[p]` tokens of each chunk that the model will compute, if no other is longer."""
        return self.lengths if padding.width is None else np.full(len(self.owners), padding.width)

    def padded(self, rows: Int64, padding: Padding) -> dict[str, npt.NDArray[np.int64]]:
        """`input_ids` and `attention_mask`, each int64 `[B, T]`, of these chunks."""
        lengths = self.lengths[rows]
        width = padding.width or int(lengths.max())
        before = width - lengths if padding.left else np.zeros_like(lengths)
        place = np.arange(width) - before[:, None]  # [B, T] which token of its chunk stands there
        mask = (place >= 0) & (place < lengths[:, None])
        ids = np.full(mask.shape, padding.token, dtype=np.int64)
        ids[mask] = self.flat[(self.offsets[rows][:, None] + place)[mask]]
        return {"input_ids": ids, "attention_mask": mask.astype(np.int64)} if padding.masked else {"input_ids": ids}


class TextTokens:
    """A tokenizer with its limit.

    Args:
        tokenizer: of transformers; called with a list of texts.
        limit: tokens of a chunk, special ones included; None for no limit.
        overlap: tokens that follow-up chunks repeat, or None to drop what is beyond the first chunk.
        empty: the token that stands for a text without any; None where a text may be all padding.
    """

    def __init__(
        self, tokenizer: Callable[..., Any], limit: int | None, overlap: int | None, empty: int | None
    ) -> None:
        self.tokenizer, self.empty = tokenizer, empty
        self.options: dict[str, Any] = {"return_attention_mask": False, "verbose": False}
        if limit is not None:
            self.options |= {"truncation": True, "max_length": limit}
            if overlap is not None:
                self.options |= {"stride": overlap, "return_overflowing_tokens": True}

    def __call__(self, texts: list[str]) -> Tokens:
        """The texts' chunks; no text is without one."""
        if not texts:
            return Tokens(np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int64))
        found = self.tokenizer(texts, **self.options)
        ids = found["input_ids"] if self.empty is None else [row or [self.empty] for row in found["input_ids"]]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])])
        owners = np.asarray(found.get("overflow_to_sample_mapping", range(len(ids))), dtype=np.int64)
        return Tokens(np.fromiter(chain.from_iterable(ids), np.int64, offsets[-1]), offsets, owners)


def smallest(*limits: int | None) -> int | None:
    """The smallest limit that says anything, or None."""
    return min((limit for limit in limits if limit and limit < UNBOUNDED_TOKENS), default=None)


def positions(config: Json) -> int | None:
    """How many tokens a model has positions for, from its configuration; None where it does not say."""
    text = config.get("text_config") or config
    found = text.get("max_position_embeddings") or text.get("n_positions")
    shifted = any(name in str(text.get("model_type")) for name in OFFSET_POSITIONS)
    # CLAP's text half is a RoBERTa by another name.
    shifted = shifted or text.get("model_type") == "clap_text_model"
    return None if found is None else int(found) - (int(text.get("pad_token_id") or 0) + 1 if shifted else 0)


def fixed_width(config: Json) -> int | None:
    """The length that every text of such a model must have: SigLIP pools the last of 64 places, whatever it holds."""
    text = config.get("text_config") or config
    return positions(config) if str(text.get("model_type")).startswith("siglip") else None
