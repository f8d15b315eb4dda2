"""Text through any pretrained language model: tokens, states, and one pooled vector, as sentence-transformers does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32
from models.encoders._huggingface import HuggingFaceSpec, check_width
from models.errors import ConfigError
from models.pretrained import Json, read_json, read_modules

if TYPE_CHECKING:
    from models.inference import PretrainedModel

# Names of poolings in sentence-transformers' files, today's and the older flags, and ours.
POOLINGS = {"cls": "cls", "mean": "mean", "lasttoken": "last"}
FLAGS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_lasttoken": "last"}
UNBOUNDED_TOKENS = 1_000_000  # tokenizers without a limit say 10^30


class Recipe(NamedTuple):
    """How a folder's sentence-transformers files want its model to be used."""

    pooling: str
    normalize: bool
    max_tokens: int | None
    lower: bool
    prompt: str


class HuggingFaceTextEncoder:
    """Tokenizes, runs sub-batches of similar length, pools, and puts the rows back in order."""

    def __init__(
        self, model: PretrainedModel, tokenizer: Callable[..., Any], spec: HuggingFaceTextSpec, recipe: Recipe
    ) -> None:
        self.model, self.tokenizer, self.spec, self.recipe = model, tokenizer, spec, recipe
        self.dim = spec.output_dim
        pad = getattr(tokenizer, "pad_token_id", None)
        self.pad = 0 if pad is None else int(pad)  # masked, but some models count positions by it

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n texts; rows that the model made non-finite are left so."""
        from models.inference import cut_by_cost

        tokens = self.tokenize(values)
        lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
        out = np.empty((len(tokens), self.dim), dtype=np.float32)
        for rows in cut_by_cost(lengths, self.spec.max_batch_tokens):
            inputs = self._padded([tokens[row] for row in rows])
            pooled = self.model.embed(inputs, self.recipe.pooling, normalize=self.recipe.normalize)
            check_width(pooled, self.dim, self.spec.weights)
            out[rows] = pooled
        return out

    def tokenize(self, values: pa.Array) -> list[list[int]]:
        """Token numbers of each text, cut to the limit; never empty."""
        texts = values.to_pylist()  # tokenizers take Python strings
        if not texts:
            return []
        texts = [self.recipe.prompt + (text.lower() if self.recipe.lower else text) for text in texts]
        limit = {"truncation": True, "max_length": self.recipe.max_tokens} if self.recipe.max_tokens else {}
        found: list[list[int]] = self.tokenizer(texts, **limit, return_attention_mask=False, verbose=False)["input_ids"]
        return [ids or [self.pad] for ids in found]

    def _padded(self, tokens: list[list[int]]) -> dict[str, np.ndarray[Any, Any]]:
        lengths = np.array([len(ids) for ids in tokens])
        mask = np.arange(lengths.max()) < lengths[:, None]  # [B, T]
        ids = np.full(mask.shape, self.pad, dtype=np.int64)
        ids[mask] = np.concatenate(tokens)
        return {"input_ids": ids, "attention_mask": mask.astype(np.int64)}


class HuggingFaceTextSpec(HuggingFaceSpec):
    """Any AutoModel for text from a folder or a pinned hub revision, with the pooling of sentence-transformers."""

    kind: ClassVar[str] = "huggingface_text"
    modality: ClassVar[str] = "text"
    unhashed: ClassVar[frozenset[str]] = HuggingFaceSpec.unhashed | {"max_batch_tokens"}

    pooling: Literal["auto", "cls", "mean", "last"] = "auto"
    """Which token states make the embedding; auto: as the folder's sentence-transformers files say, else mean."""
    max_tokens: int | None = Field(None, ge=1)
    """Longer texts are cut; by default at the limit of the folder's files."""
    max_batch_tokens: int = Field(16_384, ge=1)
    """Tokens, padding included, that run at once."""

    def build(self) -> HuggingFaceTextEncoder:
        """The encoder, with its weights loaded.

        Raises:
            ConfigError: the weights are missing or unsafe, or their files ask for a step that is not known.
        """
        folder = self.safe_folder()
        recipe = self.recipe(folder)

        from transformers import AutoTokenizer

        from models.inference import load

        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        limit = self.max_tokens or smallest(recipe.max_tokens, tokenizer.model_max_length, _positions(self.config()))
        model = load(folder, self.modality, self.device, self.dtype)
        return HuggingFaceTextEncoder(model, tokenizer, self, recipe._replace(max_tokens=limit))

    def recipe(self, folder: Path) -> Recipe:
        """The folder's own recipe, where the settings do not say otherwise."""
        pooling, normalize = self.pooling, self.normalize
        steps = {str(step.get("type")).rsplit(".", 1)[-1]: step for step in read_modules(folder)}
        if pooling == "auto":
            if unknown := sorted(set(steps) - {"Transformer", "Pooling", "Normalize"}):
                raise ConfigError(
                    f"pooling must be cls, mean or last for {folder}, because its modules.json asks for "
                    f"{', '.join(unknown)}; known are Transformer, Pooling and Normalize"
                )
            settings = read_json(folder, f"{steps['Pooling']['path']}/config.json") if "Pooling" in steps else {}
            found = stored_pooling(settings, folder)
        else:
            found = pooling
        sentence, prompts = (
            read_json(folder, "sentence_bert_config.json"),
            read_json(folder, "config_sentence_transformers.json"),
        )
        return Recipe(
            pooling=found,
            normalize="Normalize" in steps if normalize is None else normalize,
            max_tokens=sentence.get("max_seq_length"),
            lower=bool(sentence.get("do_lower_case", False)),
            prompt=(prompts.get("prompts") or {}).get(prompts.get("default_prompt_name"), ""),
        )


def stored_pooling(settings: Json, folder: Path) -> str:
    """`cls`, `mean` or `last` from a sentence-transformers Pooling's config.json; mean where it does not say.

    Raises:
        ConfigError: it asks for another pooling, or for several at once.
    """
    modes = settings.get("pooling_mode", [])
    modes = [modes] if isinstance(modes, str) else list(modes)
    modes += [name for name, on in settings.items() if name.startswith("pooling_mode_") and on is True]
    known = [POOLINGS.get(mode) or FLAGS.get(mode) for mode in modes] or ["mean"]
    if len(known) != 1 or known[0] is None:
        raise ConfigError(f"pooling must be cls, mean or last; got {', '.join(modes)} from {folder}. Name one yourself")
    return known[0]


def smallest(*limits: int | None) -> int | None:
    """The smallest limit that says anything, or None."""
    return min((limit for limit in limits if limit and limit < UNBOUNDED_TOKENS), default=None)


def _positions(config: Json) -> int | None:
    # RoBERTa and its kin number positions from the padding token's number plus one.
    text = config.get("text_config", config)
    positions = text.get("max_position_embeddings") or text.get("n_positions")
    offset = int(text.get("pad_token_id") or 0) + 1 if "roberta" in str(text.get("model_type")) else 0
    return None if positions is None else int(positions) - offset
