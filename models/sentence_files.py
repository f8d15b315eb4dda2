"""What the files that sentence-transformers puts beside a model say about how to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from models.errors import ConfigError
from models.pretrained import Json, read_json, read_modules

# Names of poolings in sentence-transformers' files, today's and the older flags, and ours.
POOLINGS = {"cls": "cls", "mean": "mean", "lasttoken": "last"}
FLAGS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_lasttoken": "last"}
KNOWN_STEPS = {"Transformer", "Pooling", "Normalize"}


class Recipe(NamedTuple):
    """How a folder wants its model to be used."""

    pooling: str
    normalize: bool
    max_tokens: int | None
    lower: bool
    prompt: str


def read_recipe(folder: Path, pooling: Literal["auto", "cls", "mean", "last"]) -> Recipe:
    """The folder's own recipe; a pooling that is named goes before the folder's.

    Raises:
        ConfigError: `pooling` is auto, and the folder asks for something that is not offered.
    """
    steps = {str(step.get("type")).rsplit(".", 1)[-1]: step for step in read_modules(folder)}
    settings = read_json(folder, f"{steps['Pooling']['path']}/config.json") if "Pooling" in steps else {}
    sentence = read_json(folder, "sentence_bert_config.json")
    prompts = read_json(folder, "config_sentence_transformers.json")
    if pooling == "auto":
        _require_known(steps, folder)
    return Recipe(
        pooling=stored_pooling(settings, folder) if pooling == "auto" else pooling,
        normalize="Normalize" in steps,
        max_tokens=sentence.get("max_seq_length"),
        lower=bool(sentence.get("do_lower_case", False)),
        prompt=(prompts.get("prompts") or {}).get(prompts.get("default_prompt_name"), ""),
    )


def stored_pooling(settings: Json, folder: Path) -> str:
    """`cls`, `mean` or `last` from a sentence-transformers Pooling's config.json; mean where it does not say.

    Raises:
        ConfigError: it asks for another pooling, for several at once, or for one that leaves the prompt out.
    """
    modes = settings.get("pooling_mode", [])
    modes = [modes] if isinstance(modes, str) else list(modes)
    modes += [name for name, on in settings.items() if name.startswith("pooling_mode_") and on is True]
    known = [POOLINGS.get(mode) or FLAGS.get(mode) for mode in modes] or ["mean"]
    if len(known) != 1 or known[0] is None:
        raise ConfigError(f"pooling must be cls, mean or last; got {', '.join(modes)} from {folder}. Name one yourself")
    if settings.get("include_prompt") is False:
        raise ConfigError(
            f"pooling must take in the prompt; {folder} leaves it out (include_prompt: false). Name a pooling yourself "
            f"to take it in"
        )
    return known[0]


def _require_known(steps: Json, folder: Path) -> None:
    if unknown := sorted(set(steps) - KNOWN_STEPS):
        raise ConfigError(
            f"pooling must be cls, mean or last for {folder}, because its modules.json asks for "
            f"{', '.join(unknown)}; known are Transformer, Pooling and Normalize"
        )
