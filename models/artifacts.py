"""Artifacts: what training leaves behind. config.json + model.safetensors + card.json; never a pickle.

config.json         everything that rebuilds the module: family, Spec, and the fingerprints of what made its inputs
model.safetensors   weights and buffers only
card.json           for people: data, split, metrics; changes no number and is no part of the fingerprint
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from models.errors import ConfigError, CorruptArtifact, OutputError
from models.spec import FAMILIES, Spec, digest, discover

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT: Final = 1
CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
CARD: Final = "card.json"


@dataclass(frozen=True)
class Config:
    """What config.json says; read without loading weights."""

    spec: Spec[Any]
    sources: dict[str, str]
    """Input -> fingerprint of what made it: modality -> encoder for a fusion, `fused` -> fusion for a head."""
    fingerprint: str
    """Hash of config.json and of the weights' bytes: everything that decides what the module computes."""


@dataclass(frozen=True)
class Loaded:
    """A module in evaluation mode, with what config.json says about it."""

    config: Config
    module: nn.Module


def save(
    folder: str | Path,
    spec: Spec[Any],
    module: nn.Module,
    *,
    sources: Mapping[str, str],
    card: Mapping[str, object],
) -> str:
    """Write an artifact, in place of an older one; readers see the old or the new one, never a mixture.

    Args:
        folder: the artifact's folder; its parent is made when missing.
        spec: rebuilds the module; must belong to a family.
        module: its weights and buffers are saved.
        sources: input -> fingerprint of what made it.
        card: facts for people; strict JSON (no NaN).

    Returns:
        The fingerprint.

    Raises:
        OutputError: the folder cannot be written.
    """
    from safetensors.torch import save as to_bytes

    folder = Path(folder)
    config = {"format": FORMAT, "family": _family(spec), "spec": spec.settings(), "sources": dict(sources)}
    files = {
        CONFIG: _json(config),
        WEIGHTS: to_bytes({name: tensor.contiguous() for name, tensor in module.state_dict().items()}),
        CARD: _json(card),
    }
    try:
        _replace(folder, files)
    except OSError as error:
        raise OutputError(f"the artifact folder {folder} must be writable; got {error.strerror or error}") from error
    return _fingerprint(files[CONFIG], files[WEIGHTS])


def load_config(folder: str | Path) -> Config:
    """Read an artifact's Spec, sources and fingerprint; no weights are loaded.

    Raises:
        ConfigError: there is no artifact, or it is of a kind or format that this version does not know.
        CorruptArtifact: config.json is no JSON object of the expected form.
    """
    folder = Path(folder)
    raw = _read(folder, CONFIG)
    try:
        content = json.loads(raw)
        found_format, family, settings = content["format"], content["family"], dict(content["spec"])
        kind, sources = settings.pop("kind"), dict(content["sources"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(f"{folder / CONFIG} must be an artifact's configuration; got {error!r}") from error
    if found_format != FORMAT:
        raise ConfigError(f"{folder / CONFIG} must be of format {FORMAT}; got {found_format!r}; train again")
    kinds = discover(family) if family in FAMILIES else {}
    if kind not in kinds:
        raise ConfigError(f"{folder / CONFIG} must name a known {family}; got {kind!r}; known kinds: {sorted(kinds)}")
    try:
        spec = kinds[kind].model_validate(settings)
    except ValidationError as error:
        raise CorruptArtifact(f"{folder / CONFIG} must hold valid settings of {kind!r}; got {error}") from error
    return Config(spec, sources, _fingerprint(raw, _read(folder, WEIGHTS)))


def load(folder: str | Path, build: Callable[[Spec[Any]], nn.Module] = lambda spec: spec.build()) -> Loaded:
    """Rebuild an artifact's module and load its weights.

    Args:
        folder: the artifact's folder.
        build: from the Spec to the module with weights as yet untrained, where that is not what `Spec.build` gives.

    Raises:
        ConfigError: as `load_config`.
        CorruptArtifact: the weights are no safetensors file, or their names, shapes or types are not the module's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    folder = Path(folder)
    config = load_config(folder)
    module = build(config.spec)
    try:
        weights = from_bytes(_read(folder, WEIGHTS))
    except SafetensorError as error:
        raise CorruptArtifact(f"{folder / WEIGHTS} must be a safetensors file; got {error}") from error
    _require_same(folder / WEIGHTS, _layout(weights), _layout(module.state_dict()))
    module.load_state_dict(weights)
    return Loaded(config, module.eval())


def load_card(folder: str | Path) -> dict[str, Any]:
    """The facts for people that were saved with an artifact.

    Raises:
        ConfigError: there is no artifact.
        CorruptArtifact: card.json is no JSON object.
    """
    try:
        return dict(json.loads(_read(Path(folder), CARD)))
    except (ValueError, TypeError) as error:
        raise CorruptArtifact(f"{Path(folder) / CARD} must be a JSON object; got {error}") from error


def require_sources(folder: str | Path, config: Config, actual: Mapping[str, str]) -> None:
    """Refuse an artifact that was trained on the output of something else than what runs now.

    Args:
        folder: the artifact's folder, for the message.
        config: what it was trained on.
        actual: input -> fingerprint of what makes it now.

    Raises:
        ConfigError: a source is missing, new or different; names it.
    """
    for name in sorted(set(config.sources) | set(actual)):
        then, now = config.sources.get(name), actual.get(name)
        if then != now:
            raise ConfigError(
                f"{folder} must be used with the {name} that it was trained on; trained on {_short(then)}, got "
                f"{_short(now)}; run `amalgam train JOB`"
            )


def _family(spec: Spec[Any]) -> str:
    package = type(spec).__module__.rpartition(".")[0]
    for family, known in FAMILIES.items():
        if known == package:
            return family
    raise ConfigError(f"an artifact's Spec must belong to one of {sorted(FAMILIES)}; got {type(spec).__name__}")


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=False, allow_nan=False) + "\n").encode()


def _fingerprint(config: bytes, weights: bytes) -> str:
    return digest({"config": json.loads(config), "weights": hashlib.sha256(weights).hexdigest()})


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{folder} must hold {name}; got no such file; run `amalgam train JOB`") from error


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into a sibling folder, then move that into place; the old one is put aside and removed last."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (folder.with_name(f".{folder.name}.{what}-{uuid.uuid4().hex[:8]}") for what in ("new", "old"))
    try:
        fresh.mkdir()
        for name, content in files.items():
            with (fresh / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _layout(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: f"{str(t.dtype).removeprefix('torch.')} {list(t.shape)}" for name, t in tensors.items()}


def _require_same(path: Path, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    for name in sorted(set(found) | set(expected)):
        if found.get(name) != expected.get(name):
            raise CorruptArtifact(
                f"{path} must hold {name!r} as {expected.get(name, 'nothing')}; got {found.get(name, 'nothing')}"
            )


def _short(fingerprint: str | None) -> str:
    return "nothing" if fingerprint is None else fingerprint[:12]
