"""Specs: small frozen descriptions that travel; what they build stays on the worker. And how kinds are found."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import json
import pkgutil
import re
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

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False, use_attribute_docstrings=True)

    kind: ClassVar[str]
    """The name in job files; the same as the file's name."""
    derived: ClassVar[frozenset[str]] = frozenset()
    """Fields that Amalgam fills in itself (sizes, fitted statistics) and that a job file may not hold."""

    unhashed: ClassVar[frozenset[str]] = frozenset()
    """Fields that change no result (where a file lies, how much is done at once): not in the fingerprint."""

    def build(self) -> T:
        """The component itself; heavy imports and weights are loaded here and nowhere else."""
        raise TypeError(f"{type(self).__name__} must define build()")

    def settings(self) -> dict[str, Any]:
        """`{kind, settings…}` as it may stand in a job file."""
        return {"kind": self.kind, **self.model_dump(mode="json")}

    def fingerprint(self) -> str:
        """Hash of everything that decides what this component computes: kind, settings, content of its files."""
        settings = {k: v for k, v in self.settings().items() if k not in self.unhashed}
        return digest({**settings, "content": dict(self.content())})

    def content(self) -> Mapping[str, str]:
        """File name -> sha256 of every file outside the settings that decides the result (weights)."""
        return {}


def digest(value: object) -> str:
    """sha256 of a JSON-able value in canonical form, as 64 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _from_job_folder(value: object, info: ValidationInfo) -> object:
    folder = (info.context or {}).get("folder")
    if value == "":
        raise ValueError("must name a file or folder; got ''")
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
    helpers: frozenset[str] = getattr(package, "HELPERS", frozenset())
    kinds: dict[str, type[Spec[Any]]] = {}
    for module_info in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        name = module_info.name
        if name == "base" or name.startswith("_") or name in helpers or module_info.ispkg:
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
            raise ConfigError(f"{module.__file__} must define one Spec of kind {name!r}; got kinds {kinds_seen}")
        if named:
            kinds[name] = named[0]
    return kinds


def component(family: str, value: object) -> Spec[Any]:
    """A component's Spec as it is, or from its `{kind: …, settings…}`: for a Spec that holds another one.

    Raises:
        ValueError: neither.
    """
    if isinstance(value, Spec):
        return value
    if not isinstance(value, Mapping) or value.get("kind") not in discover(family):
        raise ValueError(f"must be a Spec or a mapping with a known kind of {family}")
    settings = {key: setting for key, setting in value.items() if key != "kind"}
    return discover(family)[value["kind"]].model_validate(settings)


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
        return None, [Problem(f"{path}.{key}", f"must be one of {sorted(kinds)}; got {kind!r}{nearest(kind, kinds)}")]
    settings = {k: v for k, v in value.items() if k != key}
    return validate(kinds[kind], settings, path, folder=folder)


M = TypeVar("M", bound=BaseModel)


def validate(
    model: type[M], settings: Mapping[str, object], path: str, *, folder: str | None = None
) -> tuple[M | None, list[Problem]]:
    """Settings from a job file as a model, or every problem found in them; derived fields are unknown keys.

    Args:
        model: a Spec, or another pydantic model that refuses unknown keys.
        settings: what stands in the job file.
        path: its YAML path, for messages.
        folder: the job file's folder, where relative paths start.
    """
    derived: frozenset[str] = getattr(model, "derived", frozenset()) & settings.keys()
    problems = [Problem(f"{path}.{name}", _unknown(name, settings_at(model))) for name in sorted(derived)]
    given = {name: value for name, value in settings.items() if name not in derived}
    try:
        valid = model.model_validate(given, context={"folder": folder})
    except ValidationError as error:
        return None, problems + problems_of(error, path, model)
    return (None, problems) if problems else (valid, [])


def settings_at(model: type[BaseModel], place: Iterable[object] = ()) -> list[str]:
    """Names that a job file may hold in a model, or at a place inside it where another model stands."""
    for name in place:
        inner = model.model_fields[str(name)].annotation if str(name) in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return sorted(set(model.model_fields) - getattr(model, "derived", frozenset()))


_UNION_MEMBER = re.compile(r"constrained-\w+|\w+\[.*\]")  # in a location: which member of a union was tried


def problems_of(error: ValidationError, path: str, model: type[BaseModel]) -> list[Problem]:
    """Pydantic's findings in our sentence shape: *what* must be *what*; got *what*; the nearest known key."""
    found: dict[str, list[str]] = {}
    got: dict[str, object] = {}
    for item in error.errors(include_url=False):
        place = [part for part in item["loc"] if not _UNION_MEMBER.fullmatch(str(part))]
        where = ".".join([path, *map(str, place)])
        if item["type"] == "extra_forbidden":
            found[where] = [_unknown(place[-1], settings_at(model, place[:-1]))]
        elif item["type"] == "missing":
            found[where] = ["is missing and must be given"]
        else:
            message = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
            found.setdefault(where, []).append(message.removeprefix(f"{where} "))
            got[where] = item["input"]
    return [Problem(where, _sentence(messages, where in got, got.get(where))) for where, messages in found.items()]


def _sentence(messages: list[str], judged: bool, value: object) -> str:
    """One sentence of what each member of a union would take (usually there is one), and what was given."""
    first, *others = messages
    sentence = " or ".join([first, *(message.removeprefix("must be ") for message in others)])
    return f"{sentence}; got {value!r}" if judged and "; got " not in sentence else sentence


def _unknown(name: object, known: list[str]) -> str:
    listed = f"; known keys: {', '.join(known)}" if known else ""
    return f"unknown key {name!r}{nearest(name, known)}{listed}"


def nearest(name: object, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name that is most like this one, or nothing."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
