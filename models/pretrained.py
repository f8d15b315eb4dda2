"""Folders of pretrained weights, before any is loaded: where they lie, whether they are safe, what they say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from models.errors import ConfigError, CorruptArtifact, TemporaryError

Json: TypeAlias = Mapping[str, Any]

SAFE_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""What is downloaded, read and hashed: configuration, weights, vocabularies. No pickles, no Python."""

# Where configurations keep the width of their states, most specific last (T5: d_model, GPT-2: n_embd,
# DistilBERT: dim, Swin and other image models: hidden_size, embed_dim; convolutional: the last of hidden_sizes).
SIZE_KEYS = ("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "hidden_dim")
PARTS = {"text": "text_config", "image": "vision_config", "audio": "audio_config"}
"""Modality -> its half of a model of two modalities, such as CLIP."""


def locate(weights: str, revision: str | None, *, download: bool) -> Path:
    """The folder of the weights: a local one, or the hub's snapshot of that revision in the local cache.

    Args:
        weights: path of a folder, or the name of a hub repository when `revision` is given.
        revision: commit hash, or None for a local folder.
        download: fetch what the cache lacks; without it nothing touches the network.

    Raises:
        ConfigError: no such folder, repository or revision, or not in the cache.
        TemporaryError: the hub cannot be reached.
    """
    if revision is not None:
        return _snapshot(weights, revision, download=download)
    folder = Path(weights)
    if not folder.is_dir():
        raise ConfigError(
            f"weights must be an existing folder, or a hub name with its revision (a commit hash); got {weights!r}"
        )
    return folder


def check_safe(folder: Path) -> None:
    """Refuse weights that could run code when they are loaded.

    Raises:
        ConfigError: no config.json, no safetensors, or a configuration that asks for code of its own.
    """
    if not (folder / "config.json").is_file():
        raise ConfigError(f"weights must be a folder with a config.json; got {folder} without one")
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json"):
        if "auto_map" in read_json(folder, name):
            raise ConfigError(
                f"weights must need no code of their own; {folder / name} asks for remote code (auto_map), "
                f"which is never run"
            )
    if not any(folder.glob("*.safetensors")):
        found = sorted(
            path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5") for path in folder.glob(pattern)
        )
        raise ConfigError(
            f"weights must be stored as safetensors; {folder} holds {', '.join(found) or 'no weights'}. Convert "
            f"them with model.save_pretrained(folder) in a place where their origin is trusted"
        )


def read_json(folder: Path, name: str) -> Json:
    """A JSON object beside the weights; empty when the file does not exist.

    Raises:
        ConfigError: the file is not a JSON object.
    """
    path = folder / name
    if not path.is_file():
        return {}
    value = _parsed(path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path} must hold a JSON object; got {type(value).__name__}")
    return value


def read_modules(folder: Path) -> list[Json]:
    """The steps that sentence-transformers wrote down in modules.json; none where there is no such file."""
    path = folder / "modules.json"
    steps = _parsed(path) if path.is_file() else []
    if not (isinstance(steps, list) and all(isinstance(step, dict) for step in steps)):
        raise ConfigError(f"{path} must hold a list of JSON objects; got {steps!r}")
    return steps


def is_two_towered(config: Json) -> bool:
    """Whether the model embeds two modalities into one space (CLIP, SigLIP, CLAP)."""
    return sum(part in config for part in PARTS.values()) > 1


def embedding_size(config: Json, modality: str) -> int | None:
    """Width of the embeddings of a model with this config.json, or None when it does not say."""
    if is_two_towered(config):
        part = config.get(PARTS[modality], {})
        return _first(config, ("projection_dim",)) or _first(part, ("projection_size", "projection_dim", *SIZE_KEYS))
    if sizes := config.get("hidden_sizes"):
        return int(sizes[-1])
    return _first(config, SIZE_KEYS)


def filled_config(folder: Path) -> Json:
    """config.json with the defaults of its model type filled in; empty for a type that transformers does not know."""
    from transformers import AutoConfig

    try:
        found: Json = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True).to_dict()
    except (OSError, ValueError, KeyError):  # what transformers raises for such a type
        return {}
    return found


def file_hashes(folder: Path) -> dict[str, str]:
    """Relative path -> sha256 of every file that decides what the model computes; each hashed once until it changes."""
    files = sorted({path for pattern in SAFE_FILES for path in folder.rglob(pattern) if path.is_file()})
    return {str(path.relative_to(folder)): _sha256(path, (s := path.stat()).st_size, s.st_mtime_ns) for path in files}


def _first(config: Json, keys: tuple[str, ...]) -> int | None:
    return next((int(config[key]) for key in keys if isinstance(config.get(key), int)), None)


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} must be JSON; got {error}") from error


@lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if (path.stat().st_size, path.stat().st_mtime_ns) != (size, modified):
        raise CorruptArtifact(f"{path} changed while it was read")
    return digest


def _snapshot(repository: str, revision: str, *, download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    patterns = [*SAFE_FILES, *(f"*/{pattern}" for pattern in SAFE_FILES)]
    wanted = f"{repository}@{revision}"
    try:
        return Path(
            snapshot_download(repository, revision=revision, allow_patterns=patterns, local_files_only=not download)
        )
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise ConfigError(
            f"weights must be a folder or a repository of the hub; got {wanted}, which it does not know"
        ) from error
    except LocalEntryNotFoundError as error:
        if download:
            raise TemporaryError(
                f"the hub could not be reached for {wanted}; try again, or copy the folder here"
            ) from error
        raise ConfigError(
            f"weights {wanted} must be in the local cache to be planned with; got nothing there. Run "
            f"`hf download {repository} --revision {revision}`, or give `dim`"
        ) from error
    except HfHubHTTPError as error:
        raise TemporaryError(f"the hub refused {wanted} for the moment: {error}") from error
