"""Specs: small frozen descriptions that travel; what they build stays on the worker. And how kinds are found."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import json
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo

from models.errors import ConfigError, Problem

T = TypeVar("T")

FAMILIES: dict[str, str] = {
    "modality": "transforms.modalities",
    "encoder": "models.encoders",
    "fusion": "models.fusion",
    "head": "models.heads",
    "learner": "models.learn",
    "estimator": "models.evaluate",
    "sink": "transforms.sinks",
}
"""Family of kinds -> the package whose files are its kinds."""


class Spec(BaseModel, Generic[T]):
    """A frozen, picklable description of one component; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=False, use_attribute_docstrings=True
    )

    kind: ClassVar[str]
    """The name in job files; the same as the file's name."""
    derived: ClassVar[frozenset[str]] = frozenset()
    """Fields that Amalgam fills in itself (sizes, fitted statistics) and that a job file may not hold."""

    places: ClassVar[frozenset[str]] = frozenset()
    """Fields that say where something lies, not what it is; the fingerprint does not depend on them."""

    def build(self) -> T:
        """The component itself; heavy imports and weights are loaded here and nowhere else."""
        raise TypeError(f"{type(self).__name__} must define build()")

    def settings(self) -> dict[str, Any]:
        """`{kind, settings…}` as it may stand in a job file."""
        return {"kind": self.kind, **self.model_dump(mode="json")}

    def fingerprint(self) -> str:
        """Hash of everything that decides what this component computes: kind, settings, content of its files."""
        settings = {k: v for k, v in self.settings().items() if k not in self.places}
        return digest({**settings, "content": self.content()})

    def content(self) -> Mapping[str, str]:
        """File name -> sha256 of every file outside the settings that decides the result (weights)."""
        return {}


def digest(value: object) -> str:
    """sha256 of a JSON-able value in canonical form, as 64 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _from_job_folder(value: object, info: ValidationInfo) -> object:
    folder = (info.context or {}).get("folder")
    if folder is None or not isinstance(value, str) or "://" in value or Path(value).is_absolute():
        return value
    return str((Path(folder) / value).resolve())


JobPath = Annotated[str, BeforeValidator(_from_job_folder)]
"""A path or URI in a job file; a relative one starts at the job file's folder (validation context `folder`)."""


@cache
def discover(family: str) -> dict[str, type[Spec[Any]]]:
    """Kind -> Spec class of every file in the family's package, also those that PYTHONPATH adds to it.

    Raises:
        ConfigError: a file of the family defines no Spec, or one whose kind is not the file's name.
    """
    package = importlib.import_module(FAMILIES[family])
    kinds: dict[str, type[Spec[Any]]] = {}
    for module_info in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        name = module_info.name
        if name == "base" or name.startswith("_") or module_info.ispkg:
            continue
        module = importlib.import_module(f"{package.__name__}.{name}")
        found = [
            cls
            for cls in vars(module).values()
            if isinstance(cls, type) and issubclass(cls, Spec) and cls.__module__ == module.__name__
        ]
        named = [cls for cls in found if getattr(cls, "kind", None) == name]
        if found and len(named) != 1:
            kinds_seen = [getattr(cls, "kind", None) for cls in found]
            raise ConfigError(
                f"{module.__file__} must define one Spec of kind {name!r}; got kinds {kinds_seen}"
            )
        if named:
            kinds[name] = named[0]
    return kinds


def parse(
    family: str, value: object, path: str, *, key: str = "kind", folder: str | None = None
) -> tuple[Spec[Any] | None, list[Problem]]:
    """`{kind: …, settings…}` from a job file as a Spec, or every problem found in it.

    Args:
        family: a key of FAMILIES.
        value: what stands in the job file.
        path: its YAML path, for messages.
        key: the name of the key that holds the kind (`type` for modalities).
        folder: the job file's folder, where relative paths start.
    """
    if not isinstance(value, Mapping):
        return None, [Problem(path, f"must be a mapping with the key {key!r}; got {value!r}")]
    kinds = discover(family)
    kind = value.get(key)
    if kind not in kinds:
        return None, [
            Problem(f"{path}.{key}", f"must be one of {sorted(kinds)}; got {kind!r}{nearest(kind, kinds)}")
        ]
    settings = {k: v for k, v in value.items() if k != key}
    known = sorted(set(kinds[kind].model_fields) - kinds[kind].derived)
    if refused := sorted(kinds[kind].derived & set(settings)):
        return None, [
            Problem(f"{path}.{name}", f"unknown key {name!r}; known keys: {', '.join(known)}")
            for name in refused
        ]
    try:
        return kinds[kind].model_validate(settings, context={"folder": folder}), []
    except ValidationError as error:
        return None, problems_of(error, path, known)


def problems_of(error: ValidationError, path: str, known: Iterable[str]) -> list[Problem]:
    """Pydantic's findings in our sentence shape: *what* must be *what*; got *what*; the nearest known key."""
    problems = []
    for item in error.errors(include_url=False):
        where = ".".join([path, *map(str, item["loc"])]).strip(".")
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            message = f"unknown key {name!r}{nearest(name, known)}; known keys: {', '.join(sorted(known))}"
        elif item["type"] == "missing":
            message = "is missing and must be given"
        else:
            message = f"{item['msg'].removeprefix('Value error, ')}; got {item['input']!r}"
        problems.append(Problem(where, message))
    return problems


def nearest(name: object, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name that is most like this one, or nothing."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
