"""Texts through a recurrent network of our own, on subword tokens learned from the history."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.encoders._learned import LearnedEncoderSpec
from models.errors import ConfigError
from models.sequences import Sequences

if TYPE_CHECKING:
    from models.encoders._networks import EncoderNetwork

# Numbers before those of the vocabulary, which no text can spell: what every text begins with, and what stands for a
# token that training hides.
START, GAP, FIRST = 0, 1, 2
LONGEST_TOKEN = 32  # bytes: more than nearly all words have, so that no text of one word fills the vocabulary


class RnnSpec(LearnedEncoderSpec):
    """Subword tokens learned from the history, a recurrent network in both directions, attention pooling."""

    kind: ClassVar[str] = "rnn"
    modality: ClassVar[str] = "text"
    derived: ClassVar[frozenset[str]] = LearnedEncoderSpec.derived | {"tokenizer"}

    cell: Literal["gru", "lstm"] = "gru"
    """The recurrent cell."""
    vocabulary: int = Field(default=4000, ge=300, le=65_536)
    """Most tokens: the 256 bytes, so that every script and every emoji has some, and the commonest pieces of words."""
    max_tokens: int = Field(default=128, ge=8, le=4096)
    """Tokens of a text that are read; the rest is cut off. 128 are about 90 words of the history's own language."""
    embedding: int = Field(default=64, ge=16, le=1024, multiple_of=16)
    """Width of a token's vector."""
    hidden: int = Field(default=64, ge=16, le=1024, multiple_of=16)
    """Width of the state, in each direction."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the coordinates that training leaves out at random."""
    token_dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the tokens that training hides."""
    tokenizer: str = ""
    """The tokenizer, as the `tokenizers` library writes it (JSON)."""

    def taught(self, values: pa.Array) -> Self:
        """With a byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) of the history's texts in lower case.

        Raises:
            ConfigError: there is no text.
        """
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

        if not len(values):
            raise ConfigError("the encoders' part of the history must hold a text for rnn to learn from; got none")
        learned = Tokenizer(models.BPE())
        learned.normalizer = normalizers.Lowercase()
        learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        learned.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary - FIRST,
            min_frequency=2,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            max_token_length=LONGEST_TOKEN,
            show_progress=False,
        )
        learned.train_from_iterator(values.to_pylist(), trainer)
        return self.model_copy(update={"tokenizer": learned.to_str()})

    def inputs(self, values: pa.Array) -> Sequences:
        """Token numbers, int32 `[tokens, 1]`; every text begins with START."""
        most = self.max_tokens - 1
        texts = [text[: most * LONGEST_TOKEN] for text in values.to_pylist()]  # what lies beyond is read in no case
        read = _tokenizer(self.tokenizer)
        found = [row.ids[:most] for row in read.encode_batch_fast(texts, add_special_tokens=False)]
        offsets = np.concatenate([[0], np.cumsum([len(row) + 1 for row in found])]).astype(np.int64)
        ids = chain.from_iterable(chain((START - FIRST,), row) for row in found)
        return Sequences(np.fromiter(ids, np.int32, offsets[-1])[:, None] + np.int32(FIRST), offsets)

    @property
    def tokens(self) -> int:
        """How many tokens the vocabulary really has."""
        return int(_tokenizer(self.tokenizer).get_vocab_size()) + FIRST

    def network(self) -> EncoderNetwork:
        """The network before training."""
        from models.encoders._rnn import RnnNetwork

        return RnnNetwork(self)


@lru_cache(maxsize=8)
def _tokenizer(text: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(text)
