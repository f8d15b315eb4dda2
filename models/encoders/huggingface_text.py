"""Text through any pretrained language model: tokens, states, and one pooled vector, as sentence-transformers does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32
from models.encoders._huggingface import HuggingFaceSpec, WasteMeter, check_width, rows_at_once
from models.encoders.base import Waste
from models.errors import ConfigError
from models.pieces import cut_by_cost, mean_of_pieces
from models.sentence_files import Recipe, read_recipe
from models.tokens import Padding, TextTokens, Tokens, fixed_width, positions, smallest

if TYPE_CHECKING:
    from models.inference import PretrainedModel

VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")  # of these a tokenizer has one


class HuggingFaceTextEncoder:
    """Tokenizes, runs sub-batches of similar length, pools, and puts the rows back in order."""

    def __init__(self, model: PretrainedModel, tokenizer: Any, spec: HuggingFaceTextSpec, recipe: Recipe) -> None:
        self.model, self.spec, self.recipe = model, spec, recipe
        self.dim = spec.output_dim
        self.padding = _padding(tokenizer, fixed_width(model.config.to_dict()))
        empty = self.padding.token if self.padding.width is None else None
        self.tokens = TextTokens(tokenizer, recipe.max_tokens, spec.chunk_overlap, empty)
        self.special = tokenizer.num_special_tokens_to_add(pair=False)
        self._meter = WasteMeter()

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n texts; rows that the model made non-finite are left so."""
        tokens = self.tokenize(values)
        if self.spec.chunk_overlap is None:
            return self._embedded(tokens, normalize=self.recipe.normalize)
        weights = np.maximum(tokens.lengths - self.special, 1)
        chunks = self._embedded(tokens, normalize=False)
        return mean_of_pieces(chunks, tokens.owners, weights, normalize=self.recipe.normalize)

    def waste(self) -> Waste:
        """Tokens so far, with and without padding."""
        return self._meter.total()

    def tokenize(self, values: pa.Array) -> Tokens:
        """Token numbers of each text, cut to the limit or into chunks of it."""
        texts = values.to_pylist()  # tokenizers take Python strings
        return self.tokens([self.recipe.prompt + (text.lower() if self.recipe.lower else text) for text in texts])

    def _embedded(self, tokens: Tokens, *, normalize: bool) -> Float32:
        out = np.empty((len(tokens.owners), self.dim), dtype=np.float32)
        most = rows_at_once(self.spec.max_batch_rows, self.model.device.type)
        batches = cut_by_cost(tokens.costs(self.padding), self.spec.max_batch_tokens, most)
        found = self.model.embed_each(self._inputs(tokens, batches), self.recipe.pooling, normalize=normalize)
        for rows, pooled in zip(batches, found, strict=True):
            check_width(pooled, self.dim, self.spec.weights)
            out[rows] = pooled
        return out

    def _inputs(self, tokens: Tokens, batches: list[Any]) -> Iterator[dict[str, Any]]:
        for rows in batches:
            inputs = tokens.padded(rows, self.padding)
            self._meter.add(len(rows), inputs["input_ids"].shape[1], int(tokens.lengths[rows].sum()))
            yield inputs


class HuggingFaceTextSpec(HuggingFaceSpec):
    """Any AutoModel for text from a folder or a pinned hub revision, with the pooling of sentence-transformers."""

    kind: ClassVar[str] = "huggingface_text"
    modality: ClassVar[str] = "text"
    unhashed: ClassVar[frozenset[str]] = HuggingFaceSpec.unhashed | {"max_batch_tokens", "max_batch_rows"}

    prefix: str | None = None
    """Put before every text ("query: "); by default the folder's own default prompt."""
    pooling: Literal["auto", "cls", "mean", "last"] = "auto"
    """Which token states make the embedding; auto: as the folder's sentence-transformers files say, else mean."""
    layer: int = -1
    """Which hidden state is pooled: 0 is below the first layer, 1 above it, -1 the last."""
    max_tokens: int | None = Field(None, ge=1)
    """Tokens that are read at once, special ones included; by default the limit of the folder's files."""
    long: Literal["truncate", "chunk"] = "truncate"
    """A text of more tokens is cut; or encoded in chunks, whose mean counts each by its tokens."""
    overlap: int = Field(0, ge=0)
    """Tokens at the start of a chunk that repeat the end of the one before."""
    max_batch_tokens: int = Field(16_384, ge=1)
    """Tokens, padding included, that run at once."""
    max_batch_rows: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Chunks that run at once, at most; auto is 16 on CPUs and 256 on GPUs."""

    @property
    def chunk_overlap(self) -> int | None:
        """Tokens that chunks share, or None where there are no chunks."""
        return self.overlap if self.long == "chunk" else None

    def check(self) -> None:
        """See `HuggingFaceSpec.check`; a vocabulary must be there too."""
        super().check()
        if self.revision is None:
            require_vocabulary(self.folder())

    def build(self) -> HuggingFaceTextEncoder:
        """The encoder, with its weights loaded.

        Raises:
            ConfigError: the weights are missing or unsafe, or their files ask for a step that is not known.
        """
        folder = self.safe_folder()
        recipe = self.recipe(folder)
        tokenizer = load_tokenizer(folder)
        model = self.load_model(folder, layer=self.layer)
        known = smallest(recipe.max_tokens, tokenizer.model_max_length, positions(model.config.to_dict()))
        recipe = recipe._replace(max_tokens=self.max_tokens or known)
        self._require_chunks(tokenizer, recipe.max_tokens)
        return HuggingFaceTextEncoder(model, tokenizer, self, recipe)

    def recipe(self, folder: Path) -> Recipe:
        """The folder's own recipe, where the settings do not say otherwise."""
        found = read_recipe(folder, self.pooling)
        return found._replace(
            normalize=found.normalize if self.normalize is None else self.normalize,
            prompt=found.prompt if self.prefix is None else self.prefix,
        )

    def _require_chunks(self, tokenizer: Any, limit: int | None) -> None:
        if self.long != "chunk":
            return
        if not tokenizer.is_fast:
            raise ConfigError(
                f"long must be truncate for a tokenizer without a tokenizer.json; got chunk with "
                f"{type(tokenizer).__name__} in {self.weights}"
            )
        room = math.inf if limit is None else limit - tokenizer.num_special_tokens_to_add(pair=False)
        if self.overlap >= room:
            raise ConfigError(f"overlap must be less than the {room} tokens of a chunk; got {self.overlap}")


def load_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer; the fast one (of the Rust library) where it has a tokenizer.json.

    Raises:
        ConfigError: there is none, or it needs a library that is not installed.
    """
    from transformers import AutoTokenizer

    require_vocabulary(folder)
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except ImportError as error:  # SentencePiece, for the few models that have no tokenizer.json
        raise ConfigError(f"the tokenizer in {folder} must find its library; got {error}") from error
    except (OSError, ValueError, KeyError) as error:  # for files that it cannot read
        raise ConfigError(f"{folder} must hold a tokenizer that transformers can load; got {error}") from error


def require_vocabulary(folder: Path) -> None:
    """Refuse a folder without one: transformers would go on with a vocabulary of special tokens alone.

    Raises:
        ConfigError: none of the files is there.
    """
    if not any(path for pattern in VOCABULARIES for path in folder.glob(pattern)):
        raise ConfigError(
            f"weights must lie beside their tokenizer ({', '.join(VOCABULARIES)}); {folder} holds none. Save it there "
            f"with tokenizer.save_pretrained(folder)"
        )


def _padding(tokenizer: Any, width: int | None) -> Padding:
    token = getattr(tokenizer, "pad_token_id", None)
    token = 0 if token is None else int(token)
    if width is None:
        return Padding(token)
    return Padding(token, width, tokenizer.padding_side == "left", "attention_mask" in tokenizer.model_input_names)
